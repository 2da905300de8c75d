"""Which version is the newest, and where a rollback goes."""

from rollout.traffic import newest, way_back

from rollout.release import champion_of

ALL = {"1", "2", "3"}


def test_the_newest_version_is_the_one_that_came_into_the_traffic_last() -> None:
    history = [{"1": 50, "3": 50}, {"1": 90, "3": 10}, {"1": 100}]
    assert newest(history, history[0]) == "3"
    assert newest([{"1": 100}, {"3": 100}, {"1": 100}], {"1": 100}) == "1"
    assert newest([{"2": 100}], {"2": 100}) == "2"
    assert newest([], {"1": 40, "2": 60}) == "2"


def test_a_rollback_goes_behind_all_steps_of_the_newest_version() -> None:
    history = [{"3": 100}, {"2": 50, "3": 50}, {"2": 90, "3": 10}, {"2": 100}, {"1": 100}]
    assert way_back(history, history[0], ALL) == {"2": 100}
    assert way_back(history[1:], history[1], ALL) == {"2": 100}


def test_a_rollback_goes_only_to_versions_that_serve() -> None:
    history = [{"3": 100}, {"2": 60, "1": 40}, {"1": 100}]
    assert way_back(history, history[0], {"1", "3"}) == {"1": 100}
    assert way_back(history, history[0], {"3"}) is None


def test_the_first_version_has_no_way_back() -> None:
    assert way_back([{"1": 100}], {"1": 100}, ALL) is None
    assert way_back([], {}, ALL) is None


def test_the_champion_has_the_greatest_share_and_is_the_older_of_two() -> None:
    assert champion_of({"9": 10, "10": 90}) == "10"
    assert champion_of({"10": 50, "9": 50}) == "9"
    assert champion_of({}) is None
