"""Samples: collected, sealed, handed over from post to post. A code is all that may be told of one."""
