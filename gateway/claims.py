"""What Envoy hands on of a token that it has verified, and for how long the token is good."""

HEADER = "x-pmesh-claims"
"""In which the token's payload is, as the token has it: base64url of JSON. Envoy drops a client's
own."""
CLOCK_SKEW_S = 30
"""A token is good for so long after its end: where a call begins, and where one lasts."""
