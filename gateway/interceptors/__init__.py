"""What happens around every rpc: one interceptor a file, in the order that gateway.app shows."""
