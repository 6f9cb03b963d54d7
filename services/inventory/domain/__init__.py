"""The rules of stock: what is there, whom it is held for, and where it comes from. Pure."""
