"""What becomes of whoever is looked after here when the agreement under which she was sent ends."""
