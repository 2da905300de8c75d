"""Trains models and evaluates them; each training becomes a version of the registry."""
