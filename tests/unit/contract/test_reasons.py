"""Errors: what belongs to a reason comes from the contract, and nothing is left out."""

import inspect

import pytest
from google.rpc import error_details_pb2
from predict.v1.error_reason_pb2 import ErrorReason

from contract import access_errors, errors, label_errors, reasons
from contract.errors import InvalidArgument, MethodNotFound, Overloaded, PredictError
from contract.status import error_info, status_from_json, to_json, to_status

CLASSES = [
    found
    for module in (errors, label_errors, access_errors)
    for _, found in inspect.getmembers(module, inspect.isclass)
    if issubclass(found, PredictError)
]


@pytest.mark.parametrize("reason", reasons.all_reasons(), ids=reasons.reason_name)
def test_every_reason_has_a_code_and_an_http_status(reason: ErrorReason) -> None:
    assert reasons.grpc_code(reason).value[0] > 0
    assert 400 <= reasons.http_status(reason) < 600


def test_only_what_may_succeed_later_says_when_to_try_again() -> None:
    retried = {reasons.reason_name(r) for r in reasons.all_reasons() if reasons.retry_delay_s(r)}
    assert retried == {
        "OVERLOADED",
        "RATE_LIMITED",
        "KEYS_UNAVAILABLE",
        "MODEL_NOT_RELEASED",
        "MODEL_UNAVAILABLE",
        "STORE_UNAVAILABLE",
        "SHUTTING_DOWN",
    }
    assert Overloaded().retry_delay_s == 0.5


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_has_a_reason_of_the_contract(kind: type[PredictError]) -> None:
    assert kind.reason in reasons.all_reasons()


def test_an_error_as_a_status_names_its_reason_and_field() -> None:
    status = to_status(
        InvalidArgument(ErrorReason.ERROR_REASON_TEXT_EMPTY, "text", "is empty", bytes=0)
    )
    assert (status.code, status.message) == (3, "text: is empty")
    info = error_info(status)
    assert (info.reason, info.domain) == ("TEXT_EMPTY", "predict.v1")
    assert dict(info.metadata) == {"field": "text", "bytes": "0"}
    bad_request = error_details_pb2.BadRequest()
    assert status.details[1].Unpack(bad_request)
    assert bad_request.field_violations[0].reason == "TEXT_EMPTY"


def test_a_status_survives_the_way_through_the_record() -> None:
    import json

    assert status_from_json(json.loads(to_json(Overloaded()))) == to_status(Overloaded())


def test_an_unknown_rpc_is_unimplemented_over_grpc_and_not_found_over_rest() -> None:
    error = MethodNotFound("/x")
    assert to_status(error).code == 12
    assert reasons.http_status(error.reason) == 404
