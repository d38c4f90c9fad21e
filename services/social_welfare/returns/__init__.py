"""Going back to a family or a community: what was asked before, her own yes after it, and visits afterwards."""
