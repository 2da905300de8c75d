"""Bounds that the contract states and every part keeps to."""

MAX_TEXT_BYTES = 65_536
"""Of a text, in UTF-8."""
MAX_BATCH_TEXTS = 256
"""Of a batch, from a client's as from the gateway's to a model."""
SCORES_TOLERANCE = 1e-3
"""Of the sum of a text's scores, which is 1: servers give 32-bit floats, or rounded ones."""
