"""A floor for the request path: the same hops and the same record, and nothing done on the way."""
