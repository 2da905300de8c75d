"""Calls of the gateway that fail, with what to do about them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import grpc
from google.rpc import code_pb2
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from contract.status import error_info

_REMEDIES = {
    "MODEL_NOT_FOUND": "curl {url}/v1/models lists the models",
    "MODEL_NOT_RELEASED": "pmesh train {model}, then pmesh release {model}@VERSION",
    "MODEL_UNAVAILABLE": "pmesh status, then pmesh logs triton",
    "NO_OTHER_VERSION": "pmesh release {model}@VERSION",
    "OVERLOADED": "wait a moment; or use --later, which queues the work",
    "PERMISSION_DENIED": "a token with such a role; mesh.yaml says what each role may do",
    "STORE_UNAVAILABLE": "pmesh status, then pmesh logs postgres",
    "UNAUTHENTICATED": "PMESH_TOKEN with a token of the issuer that the gateway trusts",
}

_REFUSALS = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


class CallFailedError(Exception):
    """The gateway refused a call, or there is none."""

    def __init__(
        self, message: str, *, reason: str = "", remedy: str = "", status: Status | None = None
    ) -> None:
        super().__init__(f"{message} ({reason})" if reason else message)
        self.remedy = remedy
        self.status = status
        """As the gateway gave it; None if it gave no answer."""

    @property
    def is_passing(self) -> bool:
        """Whether the same may succeed later: the gateway is away, or has too much to do."""
        return self.status is None or may_be_tried_again(self.status)


def may_be_tried_again(status: Status) -> bool:
    """Whether the gateway says so, or what stands before it that nobody answers."""
    told_when = any(detail.Is(RetryInfo.DESCRIPTOR) for detail in status.details)
    return told_when or status.code in (code_pb2.UNAVAILABLE, code_pb2.DEADLINE_EXCEEDED)


@contextmanager
def failures(address: str, model: str = "", **remedies: str) -> Iterator[None]:
    """What stubs raise as CallFailedError.

    address: of the gateway. model: that it is about. remedies: for reasons that mean something
    else here.
    """
    try:
        yield
    except grpc.RpcError as error:
        raise _explain(error, address, model, _REMEDIES | remedies) from error


def _explain(
    error: grpc.RpcError, address: str, model: str, remedies: Mapping[str, str]
) -> CallFailedError:
    assert isinstance(error, grpc.Call)  # what stubs raise is both
    status = rpc_status.from_call(error)
    if status is None and error.code() in _REFUSALS:  # of the mesh, before the gateway
        reason = error.code().name
        status = Status(code=error.code().value[0], message=error.details())
        return CallFailedError(
            status.message, reason=reason, remedy=remedies[reason], status=status
        )
    if status is None:  # not from the gateway
        nobody = f"nothing answers at {address}: {error.details()}"
        return CallFailedError(nobody, remedy="pmesh status, or pmesh up")
    reason = error_info(status).reason
    url = address if "://" in address else f"http://{address}"
    remedy = remedies.get(reason, "").format(model=model, url=url)
    return CallFailedError(status.message, reason=reason, remedy=remedy, status=status)
