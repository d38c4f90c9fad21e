"""The shared branch."""
