"""Which texts nearly repeat each other."""

import random
import string

import pytest

from annotation.near_duplicates import MAX_CHARACTERS, groups


def text(seed: int, words: int = 30) -> str:
    chance = random.Random(seed)  # noqa: S311
    return " ".join(
        "".join(chance.choices(string.ascii_lowercase, k=chance.randint(3, 9)))
        for _ in range(words)
    )


def test_a_text_is_with_those_that_differ_in_little() -> None:
    one = text(1)
    near = [one, one.upper(), one.replace(" ", "  "), one + "!", one.replace(one[:9], "changed")]
    found = groups([*near, text(2), text(3)]).tolist()
    assert found == [found[0]] * len(near) + found[len(near) :]
    assert len(set(found)) == 3


def test_texts_that_share_some_words_are_each_alone() -> None:
    shared = text(0, words=10)
    assert len(set(groups([f"{shared} {text(i, words=20)}" for i in range(1, 200)]))) == 199


@pytest.mark.parametrize("short", ["", " ", "a", "abcd", "\ud800", "漢字", "🙂"])
def test_texts_shorter_than_a_shingle_are_with_their_like(short: str) -> None:
    found = groups([short, "another", short]).tolist()
    assert found[0] == found[2] != found[1]


def test_no_texts_have_no_groups() -> None:
    assert groups([]).tolist() == []


def test_ten_thousand_copies_are_one_group_wherever_they_stand() -> None:
    copies = ["copied word for word"] * 10_000
    copies[::1_000] = [text(i) for i in range(10)]
    found = groups(copies)
    assert len(set(found.tolist())) == 11


def test_a_long_text_is_read_so_far() -> None:
    start = text(1, words=200)[:MAX_CHARACTERS]
    assert len(set(groups([start + text(2), start + text(3) * 1_000]).tolist())) == 1
