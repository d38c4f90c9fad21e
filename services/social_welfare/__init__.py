"""The ministry's social workers."""
