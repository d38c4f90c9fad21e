"""The agencies, each a set of processes of its own, and the refnet command."""
