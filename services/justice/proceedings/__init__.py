"""Charge, hearings and verdict, as far as a survivor is told of them."""
