"""What makes a process a citizen of the mesh: serving, calling, identity, registration, policy, telemetry."""
