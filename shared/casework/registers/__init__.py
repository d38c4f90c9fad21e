"""The registers of a profile that have no feature of their own: an agency keeps them for itself, field by field."""
