"""Country profiles as data, and the rules that read them."""
