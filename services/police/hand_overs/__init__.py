"""Handing a complaint over to the prosecutor, on a clock from its registration."""
