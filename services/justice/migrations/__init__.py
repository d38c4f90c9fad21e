"""Forward-only migrations of this agency's own tables."""
