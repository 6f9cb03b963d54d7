"""The inventory service: knows what is in stock, and never promises a unit twice."""
