"""The notification service: tells customers what became of their orders, on events only, each of them once."""
