"""Two checkouts side by side: what of their speed is a difference, and what is noise."""
