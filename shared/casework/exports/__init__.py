"""One feature of every agency: files that are handed to somebody outside, encrypted to whoever shall read them."""
