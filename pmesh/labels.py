"""Labels, asked of a gateway: said of one prediction or of many, and read."""

from collections.abc import Callable, Iterator, Sequence

from predict.v1 import feedback_service_pb2 as pb
from predict.v1.feedback_service_pb2_grpc import FeedbackServiceStub
from predict.v1.label_pb2 import Label
from predict.v1.model_service_pb2 import GetModelRequest
from predict.v1.model_service_pb2_grpc import ModelServiceStub
from predict.v1.prediction_service_pb2 import GetPredictionRequest
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub

from pmesh.calls import failures
from pmesh.channel import open_channel

Results = Callable[[], Sequence[pb.BatchAttachLabelsResult]]
"""What became of each label of a batch, in their order. Raises CallFailedError."""

BATCH_SIZE = 1000
"""The most labels of a batch, and of a page."""
_CALL_S = 30
_OPTIONS = (
    ("grpc.max_receive_message_length", 64 << 20),  # what refuses each label of a batch is long
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class LabelClient:
    """Asks one gateway. Every method raises CallFailedError."""

    def __init__(self, address: str, token: str = "") -> None:
        """address: as open_channel takes it. token: the caller's; "" for none."""
        self._address = address
        self._channel = open_channel(address, token, _OPTIONS)
        self._stub = FeedbackServiceStub(self._channel)
        self._models = ModelServiceStub(self._channel)
        self._predictions = PredictionServiceStub(self._channel)

    def __enter__(self) -> "LabelClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def attach(self, request: pb.AttachLabelRequest) -> Label:
        """Say what is true of a prediction; the label as it was recorded."""
        with failures(self._address):
            return self._stub.AttachLabel(request, timeout=_CALL_S).label

    def start_attaching(self, requests: Sequence[pb.AttachLabelRequest]) -> Results:
        """Send up to BATCH_SIZE; what is answered waits for what became of each."""
        request = pb.BatchAttachLabelsRequest(requests=requests)
        call = self._stub.BatchAttachLabels.future(request, timeout=_CALL_S)

        def results() -> Sequence[pb.BatchAttachLabelsResult]:
            with failures(self._address):
                response: pb.BatchAttachLabelsResponse = call.result()
                return response.results

        return results

    def list(self, request: pb.ListLabelsRequest) -> Iterator[Label]:
        """All labels that meet the conditions, the last recorded first.

        Fails where there are none since there is no such model or prediction.
        """
        request.page_size = BATCH_SIZE
        with failures(self._address, request.model):
            answer = self._stub.ListLabels(request, timeout=_CALL_S)
            if not answer.labels:
                self._check(request)
            yield from answer.labels
            while answer.next_page_token:
                request.page_token = answer.next_page_token
                answer = self._stub.ListLabels(request, timeout=_CALL_S)
                yield from answer.labels

    def _check(self, request: pb.ListLabelsRequest) -> None:
        """Of what is not there, the list is as empty as of what nobody has labelled."""
        if request.model:
            self._models.GetModel(GetModelRequest(model=request.model), timeout=_CALL_S)
        if request.prediction_id:
            asked = GetPredictionRequest(id=request.prediction_id)
            self._predictions.GetPrediction(asked, timeout=_CALL_S)
