"""What lies outside a desk's mandate: received all the same, and handed on warmly."""
