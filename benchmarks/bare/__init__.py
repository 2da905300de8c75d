"""A floor for the request path: the same hops, tables and event, and little done on the way."""
