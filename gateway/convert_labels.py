"""Labels: the contract's messages to the gateway's types and back."""

from predict.v1 import feedback_service_pb2 as pb
from predict.v1 import label_pb2

from gateway.convert import SOURCE_TO_PROTO, set_time, time_from_proto
from gateway.label import Label, LabelFilter, Source, Statement
from gateway.request_keys import request_key

_SOURCE_FROM_PROTO = {number: source for source, number in SOURCE_TO_PROTO.items()}


def statement_from_proto(request: pb.AttachLabelRequest, *, caller: str) -> Statement:
    """What a caller says of a prediction; where he names no annotator, it is he."""
    request_id = request.request_id.lower()
    return Statement(
        prediction_id=request.prediction_id.lower(),
        label=request.label,
        source=_SOURCE_FROM_PROTO.get(request.source, Source.CLIENT),
        annotator=request.annotator or caller,
        adjudicated=request.adjudicated,
        label_time=time_from_proto(request, "label_time"),
        external_id=request.external_id,
        choice=request.choice,
        weight=request.weight if request.HasField("weight") else None,
        caller=caller,
        request_id=request_id,
        request_key=request_key(caller, request_id),
    )


def write_label(label: Label, message: label_pb2.Label) -> None:
    """Fill an empty message with a label as clients see it."""
    message.id = label.id
    message.prediction_id = label.prediction_id
    message.model = label.model
    message.label = label.label or ""
    message.source = SOURCE_TO_PROTO[Source(label.source)]
    message.annotator = label.annotator
    message.adjudicated = label.adjudicated
    set_time(message.label_time, label.label_time)
    set_time(message.create_time, label.create_time)
    message.external_id = label.external_id or ""
    message.choice = label.choice
    if label.weight is not None:
        message.weight = label.weight


def label_filter_from_proto(request: pb.ListLabelsRequest) -> LabelFilter:
    """The conditions of a list."""
    return LabelFilter(
        prediction_id=request.prediction_id.lower(),
        model=request.model,
        source=_SOURCE_FROM_PROTO.get(request.source),
        annotator=request.annotator,
        start_time=time_from_proto(request, "start_time"),
        end_time=time_from_proto(request, "end_time"),
        with_history=request.with_history,
    )
