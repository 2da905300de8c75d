"""The names of workers' logins, of which PostgreSQL takes 63 bytes."""

from database.logins import worker_login


def test_a_workers_login_is_named_after_its_model() -> None:
    login = worker_login("sentiment")
    assert (login.name, login.model, login.group) == (
        "worker-sentiment",
        "sentiment",
        "pmesh_worker",
    )


def test_models_with_long_names_that_start_alike_have_logins_of_their_own() -> None:
    names = {worker_login("a" * 62 + last).name for last in "bcd"}
    assert len(names) == 3
    assert all(len(name) <= 63 for name in names)
