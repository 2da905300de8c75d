"""The suite tells servers that fit from servers that do not, and says what is wrong."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.conformance.check import Check
from tests.conformance.suite import SUITE, Outcome, Result, run
from tests.conformance.target import Target
from tests.parts.oip_server import OipServer
from tests.parts.words import LABELS, POISON
from tests.parts.words_server import Outputs, good_words, good_words_by_row, words_server

ROOT = Path(__file__).parents[2]


async def checked(
    server: OipServer,
    labels: Sequence[str] = LABELS,
    slow: str = "",
    on_start: Callable[[Check], None] = lambda _: None,
) -> dict[str, Result]:
    """The results by the names of their checks."""
    target = Target(
        address=server.address,
        model="words",
        version="1",
        labels=labels,
        bad=POISON,
        slow=slow,
        timeout_s=10,
    )
    async with target:
        results = await run(target, on_start)
    return {result.check.name: result for result in results}


def faults(results: dict[str, Result]) -> list[str]:
    return [name for name, result in results.items() if result.is_fault]


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(words_server(), id="raw"),
        pytest.param(words_server(typed=True), id="typed"),
        pytest.param(words_server(declares=True), id="declared"),
        pytest.param(words_server(good_words_by_row, declares=True), id="by row"),
    ],
)
async def test_a_server_that_does_all_fits(server: OipServer) -> None:
    with server:
        results = await checked(server, slow="sleep 1.5")
    assert faults(results) == []
    assert len(results) == len(SUITE)
    assert not any(result.outcome is Outcome.NOT_TRIED for result in results.values())


async def test_a_server_that_ignores_versions_fits_with_a_note() -> None:
    with words_server(says_version=False) as server:
        results = await checked(server)
    assert faults(results) == []
    assert "one version only" in results["unknown version"].seen


def _altered(alter: Callable[[np.ndarray], np.ndarray]) -> Callable[[Sequence[str]], Outputs]:
    def model(texts: Sequence[str]) -> Outputs:
        tensors = dict(good_words(texts))
        tensors["scores"] = alter(tensors["scores"])
        return tensors

    return model


def _without_scores(texts: Sequence[str]) -> Outputs:
    return {"logits": good_words(texts)["scores"]}


def _depending_on_neighbours(texts: Sequence[str]) -> Outputs:
    rows = good_words(texts)["scores"]
    return {"scores": (rows + rows.mean(axis=0)) / 2}


def _of_few_bytes(texts: Sequence[str]) -> Outputs:
    assert sum(map(len, texts)) < 1 << 20
    return good_words(texts)


def _of_plain_texts(texts: Sequence[str]) -> Outputs:
    assert not any("😀" in text for text in texts)
    return good_words(texts)


def _two_values(texts: Sequence[str]) -> Outputs:
    return {**good_words(texts), "value": np.ones((len(texts), 2), np.float32)}


def _flat_features(texts: Sequence[str]) -> Outputs:
    return {**good_words(texts), "features": np.ones(len(texts), np.float32)}


def _answers_all(texts: Sequence[str]) -> Outputs:
    return good_words(["" if POISON in text else text for text in texts])


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        pytest.param(_without_scores, "scores", id="no scores"),
        pytest.param(_altered(lambda rows: rows[:, :1]), "scores", id="too few labels"),
        pytest.param(_altered(lambda rows: rows.ravel()), "scores", id="a flat shape"),
        pytest.param(_altered(lambda rows: rows.astype(np.int64)), "scores", id="integers"),
        pytest.param(_altered(lambda rows: rows * np.nan), "shares", id="NaN"),
        pytest.param(_altered(lambda rows: rows * 3), "shares", id="sums"),
        pytest.param(
            _altered(lambda rows: (rows * 3 - 1).astype(np.float32)), "shares", id="negative"
        ),
        pytest.param(_altered(lambda rows: rows[::-1]), "order", id="backwards"),
        pytest.param(_depending_on_neighbours, "alone and together", id="neighbours"),
        pytest.param(_two_values, "value", id="two values"),
        pytest.param(_flat_features, "features", id="flat features"),
        pytest.param(_of_few_bytes, "most bytes", id="few bytes"),
        pytest.param(_of_plain_texts, "odd texts", id="plain texts"),
        pytest.param(_answers_all, "bad text", id="answers all"),
    ],
)
async def test_a_server_with_a_fault_does_not_fit_and_the_check_of_the_fault_says_so(
    model: Callable[[Sequence[str]], Outputs], fault: str
) -> None:
    with words_server(model) as server:
        results = await checked(server)
    assert fault in faults(results)


async def test_a_server_that_answers_as_another_version_does_not_fit() -> None:
    with words_server(answers_as="8") as server:
        results = await checked(server)
    assert "version named" in faults(results)
    assert "by the gateway" in faults(results)


async def test_a_server_that_dies_under_the_checks_does_not_fit() -> None:
    with words_server() as server:

        def stop_before_order(check: Check) -> None:
            if check.name == "order":
                server.stop()

        results = await checked(server, on_start=stop_before_order)
    assert results["by the gateway"].outcome is Outcome.FITS
    assert results["order"].is_fault
    assert "UNAVAILABLE" in results["order"].seen


async def test_without_labels_the_first_answer_says_how_many_there_are() -> None:
    with words_server() as server:
        assert faults(await checked(server, labels=())) == []


def test_the_command_says_what_does_not_fit_and_ends_with_1() -> None:
    with words_server(_altered(lambda rows: rows * 3)) as server:
        ended = command(server.address, "words")
    assert ended.returncode == 1
    assert "normalize them" in ended.stdout
    assert "does not fit" in ended.stdout


def test_the_command_ends_with_0_for_a_server_that_fits() -> None:
    with words_server() as server:
        ended = command(server.address, "words", "--labels", "negative,positive")
    assert ended.returncode == 0, ended.stdout
    assert ended.stderr == ""


def test_the_command_says_that_nobody_listens() -> None:
    ended = command("127.0.0.1:1", "words", "--timeout", "5")
    assert ended.returncode == 1
    assert "UNAVAILABLE" in ended.stdout


def test_the_command_refuses_a_version_that_no_catalog_can_have() -> None:
    ended = command("127.0.0.1:1", "words", "--version", "latest")
    assert ended.returncode == 2
    assert "a number" in ended.stderr


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tests.conformance", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
