"""The rules of money. Pure: what may move, by how much, and what each movement makes of a payment."""
