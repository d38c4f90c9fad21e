"""One feature of every agency: cases."""
