"""One feature of every agency: directory."""
