"""What the gateway counts, and how it tells Prometheus.

Counting costs a call a few microseconds in all; the work is done when somebody reads. Series are as
many as there are rpcs, codes, reasons, models and versions, whatever clients send.
"""
