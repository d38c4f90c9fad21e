"""Follow-up visits: proposed from what was given, made, kept or not yet come. What they are for stays with health."""
