"""Tells people that a model does worse: when an alert is due, and what becomes of it."""
