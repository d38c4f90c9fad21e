"""What was given, refused or out of stock: stays with health."""
