"""Label Studio by its REST API. Source: https://api.labelstud.io/

Its own client is not used: it takes seconds to import, and needs much else.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit
from uuid import UUID

from contract.settings import InvalidSetting

TIMEOUT_S = 20.0
"""For each wait for a part of an answer: an import of a batch takes about a second."""
ON_THEIR_WAY_S = 60.0
"""After so long, it has mostly done what it was asked to do, or never will."""
MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_TASK_BYTES = 1024 * 1024
"""Of a task with all that was said in it, on the average of a page: twice the longest text of ours,
as JSON has it."""


class LabelStudioAway(Exception):
    """It does not answer, or not as it should; to ask again later may help."""


class LabelStudioRefused(Exception):
    """It answers that it will not do this, whenever it is asked."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(f"Label Studio refuses with status {status}: {what}")
        self.status = status


class AnswerTooLong(LabelStudioRefused):
    """It says more than is read."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task as it now is, with all that was said in it."""

    id: int
    prediction_id: str
    """That its data names; "" where it names none."""
    updated_at: datetime
    annotations: Sequence[Mapping[str, Any]] | None
    """None: not asked for, or too long to be read."""


class LabelStudio:
    """One server. All methods raise LabelStudioAway and LabelStudioRefused."""

    def __init__(
        self, url: str, token: str, *, before_each: Callable[[], None] = lambda: None
    ) -> None:
        """url: http(s)://host[:port]. token: a legacy access token, which does not expire.

        before_each: called before each question to it. Raises InvalidSetting for another url,
        which it does not quote: there may be a password in it.
        """
        self._url = _server(url.rstrip("/"))
        self._token = token
        self._before_each = before_each

    def create_project(self, title: str, label_config: str) -> int:
        """The id of a new project, in which several people may label a task."""
        project = {
            "title": title,
            "label_config": label_config,
            "show_collab_predictions": True,
        }
        return int(self._ask("POST", "/api/projects/", project)["id"])

    def set_label_config(self, project: int, label_config: str) -> None:
        """Replace the labelling interface; what was said before stays."""
        self._ask("PATCH", f"/api/projects/{project}/", {"label_config": label_config})

    def has_project(self, project: int) -> bool:
        """Whether there still is a project of this id."""
        return self._ask("GET", f"/api/projects/{project}/", missing=True) is not None

    def import_tasks(self, project: int, tasks: Sequence[Mapping[str, Any]]) -> None:
        """Add tasks, all or none."""
        self._ask("POST", f"/api/projects/{project}/import?commit_to_project=true", list(tasks))

    def delete_task(self, task: int) -> None:
        """Delete a task with all that was said in it, unless it is gone already."""
        self._ask("DELETE", f"/api/tasks/{task}/", missing=True)

    def tasks_of(self, project: int, prediction_ids: Sequence[str]) -> list[Task]:
        """The tasks of some predictions, at most two hundred, without what was said in them; none,
        too, of a lost project."""
        same = [_filter("data.prediction_id", "equal", "String", one) for one in prediction_ids]
        filters = {"conjunction": "or", "items": same}
        return self._tasks(project, 1, 200, "tasks:id", filters, fields="task_only")

    def tasks_after(self, project: int, task: int, most: int) -> list[Task]:
        """Those with the next greater ids, in their order."""
        greater = _filter("id", "greater", "Number", task)
        filters = {"conjunction": "and", "items": [greater]}
        return self._whole_tasks(project, 1, most, "tasks:id", filters)

    def newest_tasks(self, project: int, page: int, page_size: int) -> list[Task]:
        """A page of all, the last changed first; none where there are no more. page: from 1."""
        filters = {"conjunction": "and", "items": []}
        return self._whole_tasks(project, page, page_size, "-tasks:updated_at", filters)

    def _whole_tasks(
        self, project: int, page: int, page_size: int, ordering: str, filters: Mapping[str, Any]
    ) -> list[Task]:
        """With what was said in them: of a page that is too long, part by part."""
        try:
            return self._tasks(project, page, page_size, ordering, filters, fields="all")
        except AnswerTooLong:
            if page_size == 1:
                return self._tasks(project, page, 1, ordering, filters, fields="task_only")
        parts = page_size if page_size % 2 else 2
        part_size = page_size // parts
        found: list[Task] = []
        for part in range((page - 1) * parts + 1, page * parts + 1):
            tasks = self._whole_tasks(project, part, part_size, ordering, filters)
            found += tasks
            if len(tasks) < part_size:
                break
        return found

    def _tasks(
        self,
        project: int,
        page: int,
        page_size: int,
        ordering: str,
        filters: Mapping[str, Any],
        *,
        fields: str,
    ) -> list[Task]:
        """Source of the query: https://labelstud.io/sdk/data_manager.html"""
        parameters = {
            "project": project,
            "page": page,
            "page_size": page_size,
            "fields": fields,
            "query": json.dumps({"ordering": [ordering], "filters": filters}),
        }
        most_bytes = min(page_size * MAX_TASK_BYTES, MAX_ANSWER_BYTES)
        target = f"/api/tasks/?{urlencode(parameters)}"
        answer = self._ask("GET", target, missing=True, most_bytes=most_bytes)
        return [_task(one) for one in answer["tasks"]] if answer else []

    def emails(self) -> dict[int, str]:
        """The e-mail address of each user, by id."""
        return {int(user["id"]): str(user["email"]) for user in self._ask("GET", "/api/users/")}

    def subscribe(self, project: int, *, url: str, headers: Mapping[str, str]) -> None:
        """Have it tell this URL of annotations, without what they say, and no older one of ours."""
        for webhook in self._ask("GET", f"/api/webhooks/?project={project}"):
            if webhook["project"] == project:
                self._ask("DELETE", f"/api/webhooks/{webhook['id']}/", missing=True)
        webhook = {
            "project": project,
            "url": url,
            "headers": dict(headers),
            "send_payload": False,
            "send_for_all_actions": False,
            "actions": [
                "ANNOTATION_CREATED",
                "ANNOTATIONS_CREATED",
                "ANNOTATION_UPDATED",
                "ANNOTATIONS_DELETED",
            ],
        }
        self._ask("POST", "/api/webhooks/", webhook)

    def _ask(
        self,
        method: str,
        target: str,
        body: Any = None,
        *,
        missing: bool = False,
        most_bytes: int = MAX_ANSWER_BYTES,
    ) -> Any:
        """What it answers. missing: None where there is no such thing, instead of an error.

        That there is none is believed of Label Studio only: what stands in front of it, or in its
        place, says so of all things, and what it has would be taken for gone.
        """
        self._before_each()
        kind = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        connection = kind(self._url.netloc, timeout=TIMEOUT_S)
        headers = {"Authorization": f"Token {self._token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            with closing(connection):
                content = None if body is None else json.dumps(body)
                connection.request(method, target, content, headers)
                response = connection.getresponse()
                answer = response.read(most_bytes + 1)
        except (OSError, HTTPException) as error:
            why = error if isinstance(error, OSError) else type(error).__name__
            raise LabelStudioAway(f"Label Studio does not answer: {why}") from error
        path = target.partition("?")[0]  # what stands behind it, and in the answer, is not for logs
        if response.status == HTTPStatus.NOT_FOUND:
            if not _is_own_error(answer):
                raise LabelStudioAway(f"what answers with status 404 is not Label Studio: {path}")
            if missing:
                return None
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise LabelStudioAway(f"Label Studio fails with status {response.status}: {path}")
        if response.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise LabelStudioRefused(response.status, f"{method} {path}")
        if len(answer) > most_bytes:
            raise AnswerTooLong(response.status, f"{method} {path}, with a too long answer")
        try:
            return json.loads(answer) if answer else {}
        except ValueError as error:
            raise LabelStudioAway(f"Label Studio answers with no JSON: {path}") from error


def _is_own_error(answer: bytes) -> bool:
    """Whether it is an error as Label Studio's API writes it.

    Source: custom_exception_handler in label_studio/core/utils/common.py of its version 1.23.2.
    """
    try:
        error = json.loads(answer)
    except ValueError:
        return False
    return isinstance(error, dict) and {"id", "status_code", "version", "detail"} <= error.keys()


def _filter(column: str, operator: str, kind: str, value: Any) -> dict[str, Any]:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


def _task(task: Mapping[str, Any]) -> Task:
    return Task(
        id=int(task["id"]),
        prediction_id=_prediction_id(task["data"]),
        updated_at=datetime.fromisoformat(task["updated_at"]),
        annotations=task.get("annotations"),
    )


def _prediction_id(data: Any) -> str:
    """Data of a task that was made by hand may be anything."""
    match data:
        case {"prediction_id": str(given)}:
            try:
                return str(UUID(given))
            except ValueError:
                return ""
    return ""


def _server(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_whole = url == f"{parts.scheme}://{parts.netloc}" and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or not parts.hostname or "@" in url or parts.scheme not in ("http", "https"):
        raise InvalidSetting("Label Studio is at http(s)://host[:port], and at no other URL")
    return parts
