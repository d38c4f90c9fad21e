"""One feature of every agency: accounts."""
