"""Justice: prosecutor, forensic institute and court."""
