"""The Triton model repository: how it is laid out, what writes it, how Triton is started on it."""
