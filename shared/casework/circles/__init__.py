"""One feature of every agency: circles."""
