"""Turns what Consul knows into xDS for gRPC's own clients and for the Envoy edge. README.md tells what and why."""
