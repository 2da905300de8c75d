"""What is true of predictions: taken down, withdrawn, and found again.

No gRPC, no SQL: servicers call this, and this calls the store.
"""

from collections.abc import Awaitable
from datetime import datetime
from typing import Protocol

from contract.access import Permission
from contract.access_errors import PermissionDenied
from contract.label_errors import LabelNotFound
from gateway import pages, request_context
from gateway.label import Attached, Label, LabelFilter, LabelPage, Statement
from gateway.prediction import ListFilter, Page, State
from gateway.recorded import RecordedPredictions
from gateway.rights import Rights


class Labels(Protocol):
    """The record of labels."""

    def attach(self, statement: Statement) -> Awaitable[Attached]: ...
    async def withdraw(self, label_id: str, *, caller: str, rights: Rights) -> Label | None: ...
    async def search(
        self, where: LabelFilter, *, rights: Rights, before_id: str | None, limit: int
    ) -> list[Label]: ...


class FeedbackService:
    """What every door into the gateway calls. Raises contract.errors.

    The doors give what keeps to the rules of the contract, and ids in small letters. What is out
    of the reach of the present request is as if it were not there; a label is its caller's own.
    """

    def __init__(self, *, store: Labels, predictions: RecordedPredictions) -> None:
        self._store = store
        self._predictions = predictions

    async def attach(self, statement: Statement) -> Attached:
        """Take down what is true of a prediction; it is durable when this returns.

        Who may label nothing but his own predictions says what he thinks himself. Raises
        PermissionDenied where he speaks for others, decides, or says how it was chosen.
        """
        rights = request_context.current().rights
        if not rights.reach_all:
            found = await self._predictions.get(statement.prediction_id, with_text=False)
            if not (rights.reach_everybodys(found.model) or statement.is_of_its_caller):
                raise PermissionDenied({Permission.LABEL}, found.model)
        return await self._store.attach(statement)

    async def withdraw(self, label_id: str, *, caller: str) -> Label:
        """Withdraw a label; answers with what that adds to the history."""
        rights = request_context.current().rights
        if label := await self._store.withdraw(label_id, caller=caller, rights=rights):
            return label
        raise LabelNotFound(label_id)

    async def search(self, where: LabelFilter, *, page_size: int, page_token: str) -> LabelPage:
        """Read a page of labels, the last recorded first. page_size: 0 for the default."""
        limit = pages.size_to_use(page_size)
        found = await self._store.search(
            where,
            rights=request_context.current().rights,
            before_id=pages.decode_id(page_token, where),
            limit=limit + 1,
        )
        page = found[:limit]
        more = len(found) > limit
        return LabelPage(page, pages.encode_token(page[-1].id, where) if more else "")

    async def search_unlabeled(
        self,
        *,
        model: str,
        version: str,
        start_time: datetime | None,
        end_time: datetime | None,
        page_size: int,
        page_token: str,
        with_text: bool,
        least_confident: bool,
    ) -> Page:
        """Read a page of the predictions that no label counts for.

        The newest first; or the least confident of the newest, which is one page only. Raises
        PermissionDenied.
        """
        request_context.current().rights.check(model)
        where = ListFilter(
            model=model,
            state=State.SUCCEEDED,
            version=version,
            start_time=start_time,
            end_time=end_time,
            unlabeled=True,
        )
        search = self._predictions.search_uncertain if least_confident else self._predictions.search
        return await search(where, page_size=page_size, page_token=page_token, with_text=with_text)
