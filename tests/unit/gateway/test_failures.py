"""What a client sees of what cannot be decoded, and of what the protocol itself ends."""

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from predict.v1.prediction_service_pb2 import BatchPredictRequest, PredictRequest

from gateway.grpc_asgi import Status
from gateway.servicers.failures import on_failure, on_undecodable

PREDICT = "/predict.v1.PredictionService/Predict"
BATCH = "/predict.v1.PredictionService/BatchPredict"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


def info(status: grpc.Status) -> error_details_pb2.ErrorInfo:
    (packed,) = (value for key, value in status.trailing_metadata if key.endswith("-bin"))
    found = error_details_pb2.ErrorInfo()
    assert status_pb2.Status.FromString(packed).details[0].Unpack(found)
    return found


def undecodable(method: str, payload: bytes) -> error_details_pb2.ErrorInfo:
    status = on_undecodable(method, payload, ValueError())
    assert status.code is grpc.StatusCode.INVALID_ARGUMENT
    return info(status)


def broken(message: PredictRequest | BatchPredictRequest) -> bytes:
    return message.SerializeToString().replace(b"broken", b"br\xffken")


def test_a_string_that_is_not_utf8_is_named() -> None:
    found = undecodable(PREDICT, broken(PredictRequest(model="sentiment", text="broken")))
    assert (found.reason, found.metadata["field"]) == ("INVALID_UTF8", "text")


def test_a_string_inside_a_list_is_named_with_its_place() -> None:
    batch = BatchPredictRequest(entries=[{"text": "fine"}, {"text": "broken"}])
    found = undecodable(BATCH, broken(batch))
    assert (found.reason, found.metadata["field"]) == ("INVALID_UTF8", "entries[1].text")


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff" * 4 * 1024 * 1024,  # a varint without end
        b"\x0a\xff\xff\xff\xff\x07a",  # a field longer than its message
        b"\x0b",  # a group
        b"\x0a",
    ],
    ids=["varint", "length", "group", "cut"],
)
def test_what_has_no_wire_format_is_malformed(payload: bytes) -> None:
    assert undecodable(PREDICT, payload).reason == "MALFORMED_MESSAGE"


def test_a_method_without_a_descriptor_of_its_own_is_answered_too() -> None:
    assert undecodable(REFLECTION, b"\xff").reason == "MALFORMED_MESSAGE"


@pytest.mark.parametrize(
    ("method", "ended", "code", "reason"),
    [
        (PREDICT, "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"),
        (PREDICT, "RESOURCE_EXHAUSTED", "RESOURCE_EXHAUSTED", "MESSAGE_TOO_LARGE"),
        (PREDICT, "UNAVAILABLE", "UNAVAILABLE", "SHUTTING_DOWN"),
        (PREDICT, "INTERNAL", "INVALID_ARGUMENT", "MALFORMED_MESSAGE"),
        (PREDICT, "UNIMPLEMENTED", "INVALID_ARGUMENT", "MALFORMED_MESSAGE"),
        ("/predict.v1.PredictionService/Other", "UNIMPLEMENTED", "UNIMPLEMENTED", "PATH_NOT_FOUND"),
    ],
)
def test_what_the_protocol_ends_has_a_reason(
    method: str, ended: str, code: str, reason: str
) -> None:
    status = on_failure(method, Status(grpc.StatusCode[ended]))
    assert (status.code.name, info(status).reason) == (code, reason)
