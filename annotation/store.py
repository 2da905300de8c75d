"""What the program reads and writes in PostgreSQL."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Json

from annotation.selection import Candidate, Chosen
from contract.days import unfinished_since
from database import named_sql

_SQL = named_sql.load("annotation")


@dataclass(frozen=True, slots=True)
class Project:
    """Label Studio's project of a model, as far as we know."""

    id: int | None
    labels: list[str]
    """Of its labelling interface."""
    through: datetime | None
    """All changes up to this one, by Label Studio's clock, were taken."""
    is_full_look_due: bool
    """Once an hour all tasks are looked at: a deletion in bulk leaves no time of change."""


@dataclass(frozen=True, slots=True)
class Unconsidered:
    """Where answers lie that were no candidates yet."""

    start: datetime
    end: datetime
    """Before it, none is to come any more."""
    newest: str | None
    """Of those that were, by id; None: none was."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A prediction that is being sent."""

    prediction_id: str
    version: str
    text: str
    label: str
    confidence: float
    was_tried: bool
    """Before: so it may be there."""


@dataclass(frozen=True, slots=True)
class Said:
    """What an annotator says of a task now."""

    label: str
    annotator: str
    adjudicated: bool
    label_time: str
    external_id: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What has become of a task's annotations."""

    added: int = 0
    withdrawn: int = 0
    refusals: tuple[str, ...] = ()
    """Why labels were refused, each as ErrorReason has it without its prefix."""


class AnnotationStore:
    """Projects, tasks, and the labels that come of them. All methods raise psycopg.Error."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        """connection: of database.connections.connect."""
        self._connection = connection

    def transaction(self) -> Any:
        """What is done in the block is done whole or not at all."""
        return self._connection.transaction()

    def models(self) -> list[str]:
        """The ids of the models that are listed."""
        return [model for (model,) in self._fetch("models")]

    def unconsidered(self, model: str, *, settle_s: float) -> Unconsidered | None:
        """Where answers of a model may be candidates; None if there is no such model.

        settle_s: how much later than its time an answer may be recorded.
        """
        given = {"since": unfinished_since(), "settling": timedelta(seconds=settle_s)}
        for row in self._fetch("unconsidered", model=model, **given):
            return Unconsidered(*row)
        return None

    def labels(self, model: str) -> list[str]:
        """What it can be answered with."""
        return list(self._fetch("labels", model=model)[0][0])

    def project(self, model: str) -> Project:
        """A model's project."""
        return Project(*self._fetch("project", model=model)[0])

    def hold(self, model: str) -> None:
        """Have others who look at the model's project wait until the transaction ends: what one
        has read of Label Studio is then not older than what was written before."""
        self._execute("hold_project", model=model)

    def set_project(self, model: str, project: int, labels: Sequence[str]) -> None:
        """Note it, and the labels of its interface."""
        self._execute("set_project", model=model, project=project, labels=list(labels))

    def forget_project(self, model: str) -> None:
        """Note that it is gone."""
        self._execute("forget_project", model=model)

    def set_through(self, model: str, through: datetime) -> None:
        """Note that all changes up to one were taken. through: by Label Studio's clock."""
        self._execute("set_through", model=model, through=through)

    def note_full_look(self, model: str, through: datetime | None) -> None:
        """Note that all tasks were looked at, and so all changes up to one were taken."""
        self._execute("note_full_look", model=model, through=through)

    def candidates(self, model: str, start: datetime, end: datetime, most: int) -> list[Candidate]:
        """What may be sent of a window, the newest first."""
        rows = self._fetch("candidates", model=model, start=start, end=end, most=most)
        return [
            Candidate(prediction_id=str(one), text=text, scores=scores, drifted=drifted)
            for one, _, text, scores, drifted in rows
        ]

    def choose(self, model: str, project: int, chosen: Iterable[Chosen], *, considered: str) -> int:
        """Note what is to be sent, and the newest of those among which it was chosen; how many
        are noted."""
        given = [
            {"prediction_id": one.prediction_id, "choice": one.choice, "weight": one.weight}
            for one in chosen
        ]
        found = self._fetch(
            "choose", model=model, project=project, chosen=Json(given), considered=considered
        )
        return int(found[0][0])

    def begin_sending(self, project: int, *, age_s: float, most: int) -> list[Outgoing]:
        """Take some of what is to be sent. age_s: how long a try takes at most."""
        age = timedelta(seconds=age_s)
        rows = self._fetch("begin_sending", project=project, age=age, most=most)
        return [Outgoing(str(one), *rest) for one, *rest in rows]

    def confirm(self, project: int, tasks: Mapping[str, int]) -> None:
        """Note which task each prediction has."""
        for prediction_id, task in tasks.items():
            given = {"project": project, "prediction_id": prediction_id, "task": task}
            self._execute("yield_task", **given)
            self._execute("confirm", **given)

    def remove_old(self) -> None:
        """Mark the tasks of predictions that are as old as predictions get."""
        self._execute("remove_old")

    def removing(self, *, age_s: float, most: int) -> list[tuple[str, int]]:
        """Predictions whose tasks are to be deleted, with their projects.

        age_s: how old those are at least that may be on their way there.
        """
        age = timedelta(seconds=age_s)
        return [(one, project) for one, project in self._fetch("removing", age=age, most=most)]

    def forgotten(self, prediction_ids: Iterable[str]) -> set[str]:
        """Those that are erased or gone, and of whose task nothing is known either."""
        ids = [UUID(one) for one in prediction_ids]
        return {one for (one,) in self._fetch("forgotten", ids=ids)} if ids else set()

    def forget_removed(self, prediction_id: str) -> None:
        """Forget a task that is deleted."""
        self._execute("forget_removed", prediction_id=prediction_id)

    def note_missing(
        self, project: int, *, after: int, last: int | None, tasks: Sequence[int]
    ) -> int:
        """Mark those within after < task <= last that are none of these; how many they are."""
        return self._execute(
            "note_missing", project=project, after=after, last=last, tasks=list(tasks)
        )

    def take(
        self, project: int, task: int, prediction_id: str, said: Iterable[Said]
    ) -> Taken | None:
        """Make labels of what is said in a task; None if it is none of ours."""
        given = json.dumps(
            [
                {
                    "label": one.label,
                    "annotator": one.annotator,
                    "adjudicated": one.adjudicated,
                    "label_time": one.label_time,
                    "external_id": one.external_id,
                }
                for one in said
            ]
        )
        for added, withdrawn, refusals in self._fetch(
            "take", project=project, task=task, prediction_id=prediction_id, said=given
        ):
            return Taken(added, withdrawn, tuple(refusals))
        return None

    def said_by_several(self, model: str) -> list[tuple[Mapping[str, int], int]]:
        """Labels with how many annotators said each, and how many predictions have just these."""
        return [(said, rows) for said, rows in self._fetch("said_by_several", model=model)]

    def counts(self, model: str) -> dict[str, int]:
        """How many tasks are in each state."""
        return dict(self._fetch("counts", model=model))

    def _fetch(self, name: str, **given: Any) -> list[Any]:
        return self._connection.execute(_SQL[name], given).fetchall()

    def _execute(self, name: str, **given: Any) -> int:
        return self._connection.execute(_SQL[name], given).rowcount
