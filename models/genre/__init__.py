"""Genre: which kind of text it is."""
