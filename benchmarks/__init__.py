"""Measures the local stack against what people use instead: `python -m benchmarks`."""
