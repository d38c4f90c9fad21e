"""One feature of every agency: following."""
