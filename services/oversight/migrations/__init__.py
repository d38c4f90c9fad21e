"""This agency's own branch of migrations."""
