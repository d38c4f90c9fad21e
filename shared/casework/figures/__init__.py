"""One feature of every agency: what leaves it in aggregate."""
