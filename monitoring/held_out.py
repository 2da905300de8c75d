"""The held-out data of a version's training, as MLflow has it: the default reference.

Read by HTTP alone: MLflow's own client costs seconds and hundreds of megabytes. The files are those
that training/evaluation.py and training/labels.py write.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

from contract.labels import is_representative
from monitoring.counts import Histogram

TIMEOUT_S = 10.0
MAX_BYTES = 64 << 20


class RegistryAway(Exception):
    """MLflow does not answer, or not as it should; later it may."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What a version said of its held-out examples, and their texts."""

    labels: Histogram
    confidences: Histogram
    texts: Sequence[str]
    predictions: Sequence[str]
    """The ids of those that are labelled predictions: their texts are in the record only. None of
    them was chosen for being hard, as the files count none."""


def held_out(tracking_uri: str, model: str, version: str) -> HeldOut | None:
    """None if the registry has no such version, or not these files. Raises RegistryAway."""
    try:
        found = _version(tracking_uri, model, version)
        if not (run := str(found.get("run_id", ""))):
            return None  # it was made elsewhere
        confusion = json.loads(_artifact(tracking_uri, run, "confusion.json"))
        reliability = json.loads(_artifact(tracking_uri, run, "reliability.json"))
        examples = _artifact(tracking_uri, run, "evaluation.tsv").decode()
        labelled = b""
        if any(tag["key"] == "labels_sha256" for tag in found.get("tags", [])):
            labelled = _artifact(tracking_uri, run, "labels.jsonl")
        return HeldOut(
            labels=_answers(confusion),
            confidences=Counter({str(i): n for i, n in enumerate(reliability["counts"]) if n}),
            texts=_texts(examples),
            predictions=_predictions(labelled),
        )
    except HTTPError as error:
        if error.code in (HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST):
            return None
        raise RegistryAway(f"MLflow answers {error.code}") from error
    except OSError as error:
        raise RegistryAway(f"MLflow does not answer: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise RegistryAway(f"{model}@{version}: not the files of an evaluation") from error


def _version(tracking_uri: str, model: str, version: str) -> Mapping[str, Any]:
    """The version as the registry has it."""
    query = urlencode({"name": model, "version": version})
    answer = _get(f"{tracking_uri}/api/2.0/mlflow/model-versions/get?{query}")
    found: dict[str, Any] = json.loads(answer)["model_version"]
    return found


def _artifact(tracking_uri: str, run: str, name: str) -> bytes:
    query = urlencode({"run_uuid": run, "path": f"evaluation/{name}"})
    return _get(f"{tracking_uri}/get-artifact?{query}")


def _get(url: str) -> bytes:
    with urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310
        body: bytes = answer.read(MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        raise ValueError("larger than an evaluation's files are")
    return body


def _answers(confusion: Mapping[str, Any]) -> Histogram:
    """How often each label was answered: the sums of the columns."""
    sums = [sum(column) for column in zip(*confusion["counts"], strict=True)]
    return Counter({label: n for label, n in zip(confusion["labels"], sums, strict=True) if n})


def _texts(examples: str) -> list[str]:
    rows = csv.reader(io.StringIO(examples, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
    return [text for *_, text in list(rows)[1:]]


def _predictions(labelled: bytes) -> list[str]:
    rows = [json.loads(line) for line in labelled.splitlines()]
    return [
        str(row["prediction"])
        for row in rows
        if row["split"] == "HELD_OUT" and is_representative(row["choice"], row["weight"])
    ]
