"""What every program says in the same words: errors, limits, names, and how settings are read."""
