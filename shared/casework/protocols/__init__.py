"""One feature of every agency that serves: protocols of the oversight body, and which place works by which."""
