"""Brings versions of models into service: checks, loads, moves the traffic, and takes away."""
