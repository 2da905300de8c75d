from pmesh.stack.environment import base_environment


def test_a_users_own_cloud_database_and_registry_are_not_handed_on() -> None:
    given = {
        "PATH": "/bin",
        "AWS_PROFILE": "work",
        "PGHOST": "db.example.com",
        "MLFLOW_TRACKING_URI": "https://mlflow.example.com",
        "PMESH_HOME": "elsewhere",
        "PYTHONPATH": "elsewhere",
        "HTTP_PROXY": "http://proxy.example.com",
    }
    environment = base_environment(given)
    assert environment["PATH"] == "/bin"
    assert not environment.keys() & (given.keys() - {"PATH", "HTTP_PROXY"})


def test_proxies_do_not_come_between_the_parts() -> None:
    environment = base_environment({"HTTP_PROXY": "http://proxy.example.com"})
    assert environment["NO_PROXY"] == environment["no_proxy"] == "127.0.0.1,localhost"
