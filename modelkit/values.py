"""models/<name>/values.yaml: what the platform is told of a model, whoever answers for it.

    id: sentiment
    description: How positive a text is.
    labels: [negative, neutral, positive]
    feature_share: 0.1             # of the answers made now, with features; all if not given
    retention_days: 30             # of predictions and features; 90 if not given
    texts_per_second: 2000         # of all callers, at one gateway; 0: any; else mesh.yaml's
    versions:                      # those of servers of others; the registry has no such numbers
      "12": {address: "models.example:9000", golden: golden.json, examples: held_out.tsv}
    serving: {tritons: {most: 8}}  # in the cluster, as serving.py describes it

The files lie beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from contract.alert_rules import AlertRule
from contract.labels import check_model_labels
from contract.version_name import VERSION, check_model_id
from modelkit.alerts import read_alerts
from modelkit.sections import section, text, texts, whole_number
from modelkit.serving import ClusterServing, read_serving
from modelkit.strict_yaml import read_yaml

_KEYS = (
    *("id", "description", "labels", "feature_share", "retention_days", "texts_per_second"),
    *("versions", "serving"),
)
MOST_TEXTS = 1_000_000_000
"""A second; that is no limit any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignVersion:
    """A version that a server of others answers for, by the Open Inference Protocol."""

    address: str
    """host:port, or unix: and the path of a socket."""
    labels: list[str]
    """In the order of its scores."""
    golden: Path | None = None
    """Texts with what the version ought to say of them, as golden.py describes the file."""
    examples: Path | None = None
    """Held-out examples, as dataset.py describes the file."""


@dataclass(frozen=True)
class ModelEntry:
    """What a model's values.yaml says of it."""

    id: str
    description: str
    labels: list[str]
    feature_share: float = 1.0
    """Of the answers made now, how many carry features: 0 to 1. Those made later all do."""
    retention_days: int = 90
    """How long predictions and their features are kept: 1 to 3650."""
    texts_per_second: int | None = None
    """Texts of all callers that one gateway lets through; 0: no limit; None: as mesh.yaml says."""
    foreign: Mapping[str, ForeignVersion] = field(default_factory=dict)
    """Version -> who answers for it; the others are ours."""
    is_trained_here: bool = True
    """Whether the folder has a model.py."""
    alerts: Sequence[AlertRule] = ()
    """What its alerts.yaml says."""
    serving: ClusterServing = field(default_factory=ClusterServing)
    """What serves it in the cluster."""


class InvalidValues(ValueError):
    """A values.yaml that cannot be used. The message names it and says why."""


def read_models() -> list[ModelEntry]:
    """The folders of `models` that have a values.yaml, ordered by id.

    Raises InvalidValues, InvalidAlerts.
    """
    folders = sorted(Path(str(folder)) for folder in files("models").iterdir())
    return [read_values(folder) for folder in folders if (folder / "values.yaml").is_file()]


def read_values(folder: Path) -> ModelEntry:
    """Read the values.yaml and alerts.yaml of a model's folder.

    Raises InvalidValues, InvalidAlerts, OSError.
    """
    file = folder / "values.yaml"
    try:
        values = section("it", read_yaml(file.read_text(encoding="utf-8")), _KEYS)
        model = text("id", values["id"])
        check_model_id(model)
        foreign = dict(_foreign(folder, values, *item) for item in _versions(values).items())
        entry = ModelEntry(
            id=model,
            description=text("description", values["description"]),
            labels=_labels("labels", values["labels"]),
            feature_share=float(values.get("feature_share", 1.0)),
            retention_days=whole_number(
                "retention_days", values.get("retention_days", 90), 1, 3650
            ),
            texts_per_second=_texts_per_second(values),
            foreign=foreign,
            is_trained_here=(folder / "model.py").is_file(),
            serving=read_serving(values.get("serving"), foreign=foreign),
        )
    except KeyError as error:
        raise InvalidValues(f"{file} has no {error.args[0]}") from error
    except (TypeError, ValueError) as error:
        raise InvalidValues(f"{file}: {error}") from error
    if entry.id != folder.name:
        raise InvalidValues(f"{file} is of {entry.id!r}")
    if not 0 <= entry.feature_share <= 1:
        raise InvalidValues(f"{file}: feature_share is 0 to 1, not {entry.feature_share:g}")
    return replace(entry, alerts=read_alerts(folder, entry.labels))


def model_folder(model: str) -> Path:
    """Where the folder of a model is, or would be."""
    return Path(str(files("models").joinpath(model)))


def _versions(values: Mapping[str, Any]) -> Mapping[Any, Any]:
    return section("versions", values.get("versions") or {})


def _labels(where: str, said: Any) -> list[str]:
    labels = texts(where, said)
    check_model_labels(labels)
    return labels


def _foreign(
    folder: Path, values: Mapping[str, Any], version: object, said: Any
) -> tuple[str, ForeignVersion]:
    if not VERSION.fullmatch(str(version)):
        raise ValueError(f"a version is a number, not {version!r}")
    where = f"versions.{version}"
    said = section(where, said, ("address", "labels", "golden", "examples"))
    if "address" not in said:
        raise ValueError(f"{where} lacks address")
    return str(version), ForeignVersion(
        address=text(f"{where}.address", said["address"]),
        labels=_labels(f"{where}.labels", said.get("labels") or values["labels"]),
        golden=folder / said["golden"] if said.get("golden") else None,
        examples=folder / said["examples"] if said.get("examples") else None,
    )


def _texts_per_second(values: Mapping[str, Any]) -> int | None:
    said = values.get("texts_per_second")
    return None if said is None else whole_number("texts_per_second", said, 0, MOST_TEXTS)
