"""The doors of the gateway: gRPC in, gRPC out, one file for each service."""
