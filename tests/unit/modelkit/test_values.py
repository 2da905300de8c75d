"""What values.yaml says of a model."""

from pathlib import Path

import pytest

from modelkit.values import InvalidValues, read_models, read_values

GOOD = "id: mood\ndescription: How it sounds.\nlabels: [bad, good]\n"


def write(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "mood"
    folder.mkdir()
    (folder / "values.yaml").write_text(text)
    return folder


def test_every_model_that_ships_is_listed_once_in_order() -> None:
    ids = [model.id for model in read_models()]
    assert ids == sorted(set(ids))
    assert {"genre", "sentiment"} <= set(ids)


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    entry = read_values(write(tmp_path, GOOD))
    assert (entry.labels, entry.feature_share, entry.foreign) == (["bad", "good"], 1.0, {})
    assert entry.retention_days == 90
    assert entry.texts_per_second is None
    assert not entry.is_trained_here


def test_no_limit_is_not_a_limit_that_is_not_said(tmp_path: Path) -> None:
    assert read_values(write(tmp_path, GOOD + "texts_per_second: 0\n")).texts_per_second == 0


def test_a_version_of_others_is_read(tmp_path: Path) -> None:
    said = 'versions: {12: {address: "models:9000", golden: g.json}, 13: {address: "unix:/m"}}\n'
    folder = write(tmp_path, GOOD + "feature_share: 0.1\n" + said)
    entry = read_values(folder)
    assert entry.feature_share == 0.1
    assert entry.foreign["12"].address == "models:9000"
    assert entry.foreign["12"].golden == folder / "g.json"
    assert entry.foreign["12"].examples is None
    assert entry.foreign["13"].labels == ["bad", "good"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "values.yaml"),
        ("[", "values.yaml"),
        (GOOD.replace("id: mood", "id: other"), "is of 'other'"),
        (GOOD.replace("id: mood", "id: gateway"), "no model can be called 'gateway'"),
        (GOOD.replace("id: mood", "id: mood-dead"), "no model can be called 'mood-dead'"),
        (GOOD.replace("id: mood", "id: Mood"), "'Mood' is no id of a model"),
        (GOOD.replace("id: mood", "id: on"), "id is a text, not True; .* are in quotes"),
        (GOOD.replace("labels: [bad, good]", ""), "has no labels"),
        (GOOD.replace("[bad, good]", "[]"), "at least one label"),
        (GOOD.replace("[bad, good]", "[bad, good, bad]"), "labels are there twice: 'bad'"),
        (GOOD + "versions: {'1': {address: 'a:1', labels: [a, a]}}", "labels are there twice"),
        (GOOD.replace("[bad, good]", "ab"), "labels is a list of texts, not 'ab'"),
        (GOOD.replace("[bad, good]", "[yes, no]"), "those like 1, yes and no are in quotes"),
        (GOOD + "versions: {1: {address: 'a:1', labels: ab}}", "versions.1.labels is a list"),
        (GOOD + "versions: {1: {adress: 'a:1'}}", "versions.1 has no adress; it may have address,"),
        (GOOD + "versions: [1]", "versions is a section"),
        (GOOD + "versions: {012: {address: 'a:1'}}", "line 4: 012 is no decimal number"),
        (GOOD + "serving: {versions: {012: {}}}", "line 4: 012 is no decimal number"),
        (GOOD + "versions: {1: {address: 'a:1'}, '1': {address: 'a:2'}}", "1 is there twice"),
        (GOOD + "labels: [bad, better]", "line 4: labels is there twice"),
        (GOOD + "retention_days: 1:30", "line 4: 1:30 is no decimal number"),
        (GOOD + "feature_share: 2", "0 to 1"),
        (GOOD + "feature_share: some", "values.yaml"),
        (GOOD + "retention_days: 0", "retention_days is a whole number of 1 to 3650, not 0"),
        (GOOD + "retention_days: 3651", "1 to 3650"),
        (GOOD + "retention_days: 1.5", "1 to 3650"),
        (GOOD + "retention_days: true", "1 to 3650"),
        (GOOD + "retention_days: '7'", "1 to 3650"),
        (GOOD + "texts_per_second: -1", "texts_per_second is a whole number of 0 to 1000000000"),
        (GOOD + f"texts_per_second: {10**30}", "texts_per_second is a whole number"),
        (GOOD + "texts_per_second: true", "texts_per_second is a whole number"),
        (GOOD + "texts_per_second: 0.5", "texts_per_second is a whole number"),
        (GOOD + "versions: {v1: {address: 'a:1'}}", "a version is a number"),
        (GOOD + "versions: {'1': {}}", "versions.1 lacks address"),
        (GOOD + "versions: ['1']", "values.yaml"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(InvalidValues, match=why):
        read_values(write(tmp_path, text))
