"""Versions that servers of others answer for: what their release can check without an artifact.

values.yaml names the server, and perhaps files to check its answers with. Triton has no part in it,
and the registry none but that it must not have the version too.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from inference.addresses import of_model
from inference.blocking import is_live
from modelkit.abstract_model import AbstractModel, Example, Predictions
from modelkit.artifact import UnknownModel, model_class
from modelkit.dataset import check_truths, read_examples
from modelkit.golden import EDGE_TEXTS, TOLERANCE, Golden, GoldenMismatch
from modelkit.registry import Registry, RegistryUnavailable, VersionUnknown
from modelkit.values import ForeignVersion, ModelEntry, model_folder, read_values
from rollout import metrics
from rollout.arrival import Arrival, note_loading
from rollout.foreign_server import ForeignServer
from rollout.label_judge import label_judge
from rollout.quality import judge_quality
from rollout.refusal import Reason, Refused
from rollout.signature import check_labels
from rollout.store import ReleaseStore

NEVER_CHECKED = ("what it is made of", "its signature")
"""There is no artifact to look at."""


class ForeignVersions:
    """Brings them in; see arrival.py."""

    def __init__(
        self,
        *,
        store: ReleaseStore,
        registry: Registry | None,
        triton_address: str,
        values: Callable[[str], ModelEntry] = lambda model: read_values(model_folder(model)),
    ) -> None:
        """registry: None where there is none.

        triton_address: as the setting, of our own versions; "" for none. One may be champion.
        values: what is known of a model.
        """
        self._store = store
        self._registry = registry
        self._triton_address = triton_address
        self._values = values

    def has(self, model: str, version: str) -> bool:
        """Whether a server of others answers for this version. Raises InvalidValues."""
        return version in self._named(model)

    def server(self, model: str, version: str) -> ForeignServer | None:
        """The server of such a version; None for one of ours. Raises InvalidValues."""
        if (known := self._named(model).get(version)) is None:
            return None
        return ForeignServer(known.address, model, version, labels=known.labels)

    def bring_in(
        self,
        model: str,
        version: str,
        *,
        labels: Sequence[str],
        champion: str | None,
        margin: float,
    ) -> Arrival:
        """Check what the server answers."""
        with metrics.gate(model):
            return self._check(model, version, labels, champion, margin)

    def agree(self, model: str) -> None:
        """Nothing: whoever runs the server loads and unloads its versions."""

    def _check(
        self, model: str, version: str, labels: Sequence[str], champion: str | None, margin: float
    ) -> Arrival:
        known = self._named(model)[version]
        unchecked = [*NEVER_CHECKED]
        if not self._is_known_to_be_alone(model, version):
            unchecked.append("whether the registry has this number too")
        check_labels(known.labels, list(labels))
        note_loading(self._store, model, version)
        if not is_live(known.address):
            raise Refused(Reason.SERVER_UNAVAILABLE, f"nothing answers at {known.address}")
        server = ForeignServer(known.address, model, version, labels=known.labels)
        _check_neighbours(server)
        manner = "answers for it"
        if server.ignores_versions():
            self._check_alone_there(model, version, known.address)
            manner = "answers for it and ignores versions"
        if known.golden is None:
            unchecked.append("golden answers")
        else:
            _check_golden(server, _read_golden(known))
        verdict = "it answers as it should"
        if known.examples is None:
            unchecked.append("held-out examples")
        else:
            verdict = self._judge(server, known, model, version, champion, margin)
        detail = f"{verdict}; {known.address} {manner}; not checked: {', '.join(unchecked)}"
        return Arrival(detail, known.labels, address=known.address)

    def _named(self, model: str) -> Mapping[str, ForeignVersion]:
        try:
            return self._values(model).foreign
        except FileNotFoundError:  # a model without a folder here has none
            return {}

    def _is_known_to_be_alone(self, model: str, version: str) -> bool:
        """False if the registry cannot tell. Raises Refused if it has one of this number too."""
        if self._registry is None:
            return False
        try:
            self._registry.version(model, version)
        except VersionUnknown:
            return True
        except RegistryUnavailable:
            return False
        detail = f"values.yaml names a server of others for {version}, the registry has it as well"
        raise Refused(Reason.AMBIGUOUS, detail)

    def _check_alone_there(self, model: str, version: str, address: str) -> None:
        """A server that ignores versions can stand for one. Raises Refused."""
        said = {other for other, known in self._named(model).items() if known.address == address}
        others = (said | set(self._store.versions_at(model, address))) - {version}
        if others:
            detail = (
                f"{address} ignores versions, and is to answer for {', '.join(sorted(others))} too"
            )
            raise Refused(Reason.VERSIONS_IGNORED, detail)

    def _judge(
        self,
        server: ForeignServer,
        known: ForeignVersion,
        model: str,
        version: str,
        champion: str | None,
        margin: float,
    ) -> str:
        judge = _judge_of(model, known.labels)
        examples = _read_examples(judge, known)
        texts = [example.text for example in examples]
        said = server.ask(texts)
        if judge.has_value and said.value is None:
            raise Refused(Reason.OUTPUT_NAME, "there is no output 'value', which the model has")
        if champion is None or champion == version:
            metric = judge.eval(examples, said)[judge.primary_metric]
            return f"there is no version to compare it with: {judge.primary_metric} {metric:.3f}"
        return judge_quality(
            judge,
            examples,
            said,
            version=version,
            champion=champion,
            ask_champion=lambda: self._ask_champion(model, champion, texts, known.labels),
            margin=margin,
        )

    def _ask_champion(
        self, model: str, champion: str, texts: Sequence[str], labels: Sequence[str]
    ) -> Predictions | None:
        server = self.server(model, champion)
        if server is None:
            address = of_model(self._triton_address, model)
            server = ForeignServer(address, model, champion, labels=labels)
        try:
            return server.ask(texts)
        except Refused as error:
            if error.reason != Reason.SERVER_UNAVAILABLE:
                return None
            detail = f"version {champion}, to compare with: {error.detail}"
            raise Refused(Reason.CHAMPION_SILENT, detail) from error


def _check_neighbours(server: ForeignServer) -> None:
    """Texts alone and together: their answers must be the same."""
    together = server.ask(EDGE_TEXTS).scores
    alone = np.concatenate([server.ask([text]).scores for text in EDGE_TEXTS])
    off = float(np.abs(together - alone).max())
    if off > TOLERANCE:
        detail = f"scores are off by {off:.2g} in a batch; {TOLERANCE:g} is allowed"
        raise Refused(Reason.DEPENDS_ON_NEIGHBOURS, detail)


def _check_golden(server: ForeignServer, golden: Golden) -> None:
    said = server.ask(golden.texts)
    try:
        golden.check(said)
    except GoldenMismatch as error:
        raise Refused(Reason.GOLDEN_MISMATCH, str(error)) from error
    except ValueError as error:  # answers that are no table
        raise Refused(Reason.CHECKS_UNREADABLE, f"the golden answers: {error}") from error


def _read_golden(known: ForeignVersion) -> Golden:
    assert known.golden is not None
    try:
        return Golden.read_file(known.golden)
    except (OSError, ValueError, TypeError) as error:
        raise Refused(Reason.CHECKS_UNREADABLE, f"{known.golden}: {error}") from error


def _read_examples(judge: AbstractModel, known: ForeignVersion) -> list[Example]:
    assert known.examples is not None
    try:
        examples = read_examples([known.examples])
        check_truths(judge, examples)
    except (OSError, ValueError) as error:
        raise Refused(Reason.CHECKS_UNREADABLE, f"{known.examples}: {error}") from error
    return examples


def _judge_of(model: str, labels: Sequence[str]) -> AbstractModel:
    try:
        return model_class(model)()
    except UnknownModel:  # it has no code here
        return label_judge(labels)
