"""One feature of every agency: timeline."""
