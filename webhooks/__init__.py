"""Tells others by HTTP: what is signed, where it may go, how often it is tried."""
