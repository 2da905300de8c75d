"""FeedbackService over gRPC: convert, call, convert. The work is in gateway.feedback."""

import asyncio

from google.rpc.status_pb2 import Status
from grpc.aio import ServicerContext
from predict.v1 import feedback_service_pb2 as pb
from predict.v1 import feedback_service_pb2_grpc

from gateway import request_context, validation
from gateway.convert import has_text, time_from_proto, write_prediction
from gateway.convert_labels import (
    label_filter_from_proto,
    statement_from_proto,
    write_label,
)
from gateway.feedback import FeedbackService
from gateway.label import Attached
from gateway.refusals import to_status
from gateway.turns import Turns

AT_ONCE = 100
"""Labels of a batch that are read before other calls have their turn."""
LABELS_AT_ONCE = 512
"""Of the batches of one caller, who has more of them wait."""


class FeedbackServicer(feedback_service_pb2_grpc.FeedbackServiceServicer):
    """Takes labels, and tells of them and of what wants one."""

    def __init__(self, service: FeedbackService) -> None:
        self._service = service
        self._turns = Turns(each=LABELS_AT_ONCE)

    async def AttachLabel(
        self,
        request: pb.AttachLabelRequest,
        context: ServicerContext[pb.AttachLabelRequest, pb.AttachLabelResponse],
    ) -> pb.AttachLabelResponse:
        """Answer with the label as it was recorded."""
        response = pb.AttachLabelResponse()
        write_label((await self._attach(request)).label, response.label)
        return response

    async def BatchAttachLabels(
        self,
        request: pb.BatchAttachLabelsRequest,
        context: ServicerContext[pb.BatchAttachLabelsRequest, pb.BatchAttachLabelsResponse],
    ) -> pb.BatchAttachLabelsResponse:
        """Answer with each label or why it is refused."""
        response = pb.BatchAttachLabelsResponse()
        refusals: dict[BaseException, Status] = {}
        caller = request_context.current().caller
        for start in range(0, len(request.requests), AT_ONCE):
            some = request.requests[start : start + AT_ONCE]
            async with self._turns.turn(caller, len(some)):
                attaching = (self._checked(one) for one in some)
                outcomes = await asyncio.gather(*attaching, return_exceptions=True)
            for outcome in outcomes:
                _write_result(outcome, response.results.add(), refusals)
        return response

    async def DeleteLabel(
        self,
        request: pb.DeleteLabelRequest,
        context: ServicerContext[pb.DeleteLabelRequest, pb.DeleteLabelResponse],
    ) -> pb.DeleteLabelResponse:
        """Answer with what was added to the history."""
        response = pb.DeleteLabelResponse()
        caller = request_context.current().caller
        write_label(await self._service.withdraw(request.id.lower(), caller=caller), response.label)
        return response

    async def ListLabels(
        self,
        request: pb.ListLabelsRequest,
        context: ServicerContext[pb.ListLabelsRequest, pb.ListLabelsResponse],
    ) -> pb.ListLabelsResponse:
        """Answer with a page."""
        page = await self._service.search(
            label_filter_from_proto(request),
            page_size=request.page_size,
            page_token=request.page_token,
        )
        response = pb.ListLabelsResponse(next_page_token=page.next_page_token)
        for label in page.labels:
            write_label(label, response.labels.add())
        return response

    async def ListUnlabeled(
        self,
        request: pb.ListUnlabeledRequest,
        context: ServicerContext[pb.ListUnlabeledRequest, pb.ListUnlabeledResponse],
    ) -> pb.ListUnlabeledResponse:
        """Answer with a page."""
        page = await self._service.search_unlabeled(
            model=request.model,
            version=request.version,
            start_time=time_from_proto(request, "start_time"),
            end_time=time_from_proto(request, "end_time"),
            page_size=request.page_size,
            page_token=request.page_token,
            with_text=has_text(request.view),
            least_confident=request.order == pb.UNLABELED_ORDER_UNCERTAIN,
        )
        response = pb.ListUnlabeledResponse(next_page_token=page.next_page_token)
        for prediction in page.predictions:
            write_prediction(prediction, response.predictions.add())
        return response

    async def _checked(self, request: pb.AttachLabelRequest) -> Attached:
        validation.check(request)
        return await self._attach(request)

    async def _attach(self, request: pb.AttachLabelRequest) -> Attached:
        caller = request_context.current().caller
        return await self._service.attach(statement_from_proto(request, caller=caller))


def _write_result(
    outcome: Attached | BaseException,
    message: pb.BatchAttachLabelsResult,
    known: dict[BaseException, Status],
) -> None:
    """known: by exceptions; one that many have been refused with is explained, and logged, once."""
    if isinstance(outcome, BaseException):
        if (status := known.get(outcome)) is None:
            status = known[outcome] = to_status(outcome)
        message.error.CopyFrom(status)
    else:
        write_label(outcome.label, message.label)
        message.added = outcome.added
