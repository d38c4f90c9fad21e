"""The national body: protocols, and sums. It sees no case, and is told of none."""
