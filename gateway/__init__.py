"""The gateway: one Envoy with the servicers in it, the one port that clients know."""
