"""One feature of every agency: what was done or demanded against the protocol."""
