"""Two Tritons on one repository: what a release brings is on both, and what is refused on none."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import pytest

from inference.blocking import InferenceError, ServerUnavailable, infer
from rollout.refusal import Reason, Refused
from rollout.serving import Serving
from tests.integration.rollout.tiny.model import Model
from tests.integration.rollout.workshop import ALL, NAME, TEXTS, Workshop, in_code
from tests.parts.triton import Triton

FAILS_THERE = in_code(
    "    def predict(self, texts: Sequence[str]) -> Predictions:\n",
    "    def predict(self, texts: Sequence[str]) -> Predictions:\n"
    "        import os\n"
    "        if 'IT_FAILS_HERE' in os.environ: raise ValueError\n",
)


@pytest.fixture(scope="module")
def second_triton(empty_triton: Triton) -> Iterator[Triton]:
    with Triton(empty_triton.repository, IT_FAILS_HERE="yes") as triton:
        yield triton


@pytest.fixture
def both(workshop: Workshop, second_triton: Triton) -> Workshop:
    return of_both(workshop, second_triton)


def of_both(workshop: Workshop, second_triton: Triton, *, patience_s: float = 100) -> Workshop:
    """Its releases go to both."""
    paths = [triton.address.removeprefix("unix:") for triton in (workshop.triton, second_triton)]
    workshop.serving = Serving(
        repository=workshop.serving.repository,
        address=f"unix:{','.join(paths)}",
        key=second_triton.key,
        device_of=lambda _: "cpu",
        patience_s=patience_s,
    )
    return workshop


def has(triton: Triton) -> set[str]:
    return triton.control.versions(NAME)


def test_a_release_is_done_when_all_have_its_version(both: Workshop, second_triton: Triton) -> None:
    first, second = (both.register(Model(version=n)) for n in range(2))
    both.release(first)
    both.release(second)
    for triton in (both.triton, second_triton):
        assert has(triton) == {first, second}
        assert infer(triton.address, NAME, second, TEXTS[:3])["features"][0, 0] == 1
    both.shift("ROLLBACK")
    both.settle()
    assert has(both.triton) == has(second_triton) == {first}


def test_a_version_that_one_cannot_serve_is_on_none(both: Workshop, second_triton: Triton) -> None:
    first, bad = both.register(Model()), both.register(Model(version=1), FAILS_THERE)
    both.release(first)
    with pytest.raises(Refused) as refused:
        both.release(bad)
    assert refused.value.reason == Reason.GOLDEN_MISMATCH
    assert second_triton.address in refused.value.detail
    assert both.traffic() == {first: ALL}
    assert has(both.triton) == has(second_triton) == {first}


def test_one_that_ends_meanwhile_is_waited_for(both: Workshop, second_triton: Triton) -> None:
    first, second = (both.register(Model(version=n)) for n in range(2))
    both.release(first)
    told = SimpleQueue[str]()
    with ThreadPoolExecutor(1) as releases:
        release = releases.submit(both.release, second, tell=told.put)
        for step in ("loading", "warming up"):
            while not told.get(timeout=100).startswith(step):
                pass
            second_triton.restart_in_order()
        release.result(100)
    assert has(both.triton) == has(second_triton) == {first, second}


def test_one_that_starts_is_waited_for(both: Workshop, second_triton: Triton) -> None:
    first, second = (both.register(Model(version=n)) for n in range(2))
    both.release(first)
    with ThreadPoolExecutor(1) as releases:
        second_triton.end()
        release = releases.submit(both.release, second)
        second_triton.start()
        release.result(100)
    assert has(both.triton) == has(second_triton) == {first, second}


def test_one_that_stays_away_refuses_for_now_and_gets_what_it_lacks_once_it_is_back(
    workshop: Workshop, second_triton: Triton
) -> None:
    both = of_both(workshop, second_triton, patience_s=1)
    first, second = (both.register(Model(version=n)) for n in range(2))
    both.release(first)
    second_triton.kill()
    try:
        with pytest.raises(Refused) as refused:
            both.release(second)
        assert refused.value.reason == Reason.TRITON_UNAVAILABLE
        assert second_triton.address in refused.value.detail
        assert both.traffic() == {first: ALL}
        with pytest.raises(ServerUnavailable, match=second_triton.address):
            both.housekeeping().tidy(NAME)
        assert has(both.triton) == {first}  # what was refused is there no more
    finally:
        second_triton.start()
    both.housekeeping().tidy(NAME)
    assert has(second_triton) == {first}
    with pytest.raises(InferenceError):
        infer(second_triton.address, NAME, second, TEXTS[:1])


def test_what_one_alone_has_lost_or_kept_is_put_right(
    both: Workshop, second_triton: Triton
) -> None:
    first, second = (both.register(Model(version=n)) for n in range(2))
    both.release(first)
    second_triton.control.unload(NAME)
    both.housekeeping().tidy(NAME)
    assert has(second_triton) == {first}
    second_triton.control.unload(NAME)
    both.release(second)  # it would not serve the first one there, but for this
    assert has(both.triton) == has(second_triton) == {first, second}
