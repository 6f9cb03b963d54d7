"""Turns what Consul knows into xDS for gRPC's clients and the Envoy edge. README.md tells how and why."""
