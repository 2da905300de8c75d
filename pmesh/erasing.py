"""Erasing many predictions through a gateway, several at a time."""

import threading
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from google.rpc import code_pb2
from predict.v1.prediction_service_pb2 import DeletePredictionRequest
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub

from contract.status import error_info
from pmesh.calls import CallFailedError, failures
from pmesh.channel import open_channel

AT_ONCE = 8
_CALL_S = 30
_PAUSES_S = (0.1, 0.3, 1, 3, 5, 10, 20, 20)
"""Before each further try: as long as a gateway may take to be there again."""
_OF_ONE = (code_pb2.INVALID_ARGUMENT, code_pb2.NOT_FOUND, code_pb2.FAILED_PRECONDITION)


def erase_each(address: str, ids: Iterable[str], token: str = "") -> Generator[str, None, None]:
    """Erase predictions; for each, in order, the reason why it is not erased, or "".

    address: of a gateway, as open_channel takes it. token: the caller's; "" for none. Once it is
    closed, nothing more is begun. Raises CallFailedError for what is not about one prediction and
    does not pass.
    """
    over = threading.Event()
    with (
        open_channel(address, token) as channel,
        ThreadPoolExecutor(AT_ONCE, thread_name_prefix="erasing") as threads,
    ):
        stub = PredictionServiceStub(channel)
        begun: deque[Future[str]] = deque()
        try:
            for id_ in ids:
                begun.append(threads.submit(_erase, stub, address, id_, over))
                if len(begun) >= 2 * AT_ONCE:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            over.set()
            threads.shutdown(cancel_futures=True)


def _erase(stub: PredictionServiceStub, address: str, id_: str, over: threading.Event) -> str:
    for pause_s in _PAUSES_S:
        try:
            return _try(stub, address, id_)
        except CallFailedError as error:
            if not error.is_passing or over.wait(pause_s):
                raise
    return _try(stub, address, id_)


def _try(stub: PredictionServiceStub, address: str, id_: str) -> str:
    try:
        with failures(address):
            stub.DeletePrediction(DeletePredictionRequest(id=id_), timeout=_CALL_S)
    except CallFailedError as error:
        if error.status is not None and error.status.code in _OF_ONE:
            return str(error_info(error.status).reason)
        raise
    return ""
