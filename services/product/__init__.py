"""The product service: what is sold, in which variants and at what price."""
