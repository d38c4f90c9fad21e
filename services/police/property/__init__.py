"""One feature of the police: her things, kept for her and given back when she asks."""
