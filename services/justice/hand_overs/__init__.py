"""Complaints that the police hand over, as the prosecutor's office receives them."""
