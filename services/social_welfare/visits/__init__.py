"""Follow-up and home visits: a home visit only where, when and how she said that it is safe."""
