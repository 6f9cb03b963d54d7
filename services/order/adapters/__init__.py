"""The other services, as the order service sees them."""
