"""One feature of the agencies that see her again: a visit that is made, kept or not yet come. What it is for stays with each."""
