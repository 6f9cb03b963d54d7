"""The rules of an order, pure: no clock, no database, no network."""
