"""One feature of every agency: the lines to its peers."""
