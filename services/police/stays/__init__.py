"""One feature of the police: who stays at a centre, for how long, and where to afterwards."""
