"""The outside of inventory: the services it asks."""
