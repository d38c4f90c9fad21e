"""One feature of the oversight body: protocols, and who works by them."""
