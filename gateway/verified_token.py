"""How Envoy tells that it has verified a call's token, and for how long a token is good."""

ISSUER_HEADER = "x-pmesh-issuer"
"""In which it says whose token that is; it drops a client's own. The token is where it was."""
ROLES_HEADER = "x-pmesh-roles"
"""In which it says the caller's roles, for the REST front filter; it drops a client's own."""
CLOCK_SKEW_S = 30
"""A token is good for so long after its end: where a call begins, and where one lasts."""
