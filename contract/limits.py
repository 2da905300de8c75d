"""Bounds that the contract states and every part keeps to."""

from predict.v1.prediction_service_pb2 import BatchPredictRequest, PredictRequest

from contract.rules import rules_of

_TEXT = rules_of(PredictRequest.DESCRIPTOR.fields_by_name["text"])
_ENTRIES = rules_of(BatchPredictRequest.DESCRIPTOR.fields_by_name["entries"])

MAX_TEXT_BYTES = _TEXT.string.max_bytes
"""Of a text, in UTF-8."""
MAX_BATCH_TEXTS = _ENTRIES.repeated.max_items
"""Of a batch, from a client's as from the gateway's to a model."""
SCORES_TOLERANCE = 1e-3
"""Of the sum of a text's scores, which is 1: servers give 32-bit floats, or rounded ones."""
