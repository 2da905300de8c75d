"""The configuration of the gateway's Envoy: typed settings in, plain data out."""
