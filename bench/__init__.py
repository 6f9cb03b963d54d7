"""What the system costs and how fast it is, measured against the least that gRPC itself takes on the same machine."""
