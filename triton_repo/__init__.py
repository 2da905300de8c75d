"""The Triton model repository: how it is laid out, what writes it, what Triton runs from it."""
