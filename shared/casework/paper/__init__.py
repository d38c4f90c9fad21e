"""One feature of every agency: pre-numbered paper, and what was written on it entered afterwards."""
