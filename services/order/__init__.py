"""The order service: takes orders and drives each to one outcome, whatever fails on the way."""
