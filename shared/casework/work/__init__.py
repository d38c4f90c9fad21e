"""One feature of every agency: the work list that a shift opens first, and what it hands over at its end."""
