"""The plan of a case: what is needed, what for, who does what and when; each version put to her. It never leaves this agency."""
