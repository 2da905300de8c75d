"""What every program tells of itself while it runs: spans by OTLP, metrics for Prometheus."""
