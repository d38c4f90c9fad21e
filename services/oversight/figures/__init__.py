"""One feature of the oversight body: what agencies have released, as sums in which nothing small is left."""
