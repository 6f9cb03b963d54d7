"""The payment service: has money held, taken and given back by a gateway, and never does any of it twice."""
