"""The other services, as the product service sees them."""
