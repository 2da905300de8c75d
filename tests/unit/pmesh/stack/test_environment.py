from pmesh.stack.environment import base_environment, telemetry_environment


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


def test_what_a_user_says_of_spans_is_for_our_programs_only() -> None:
    said = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example.com:4318",
        "OTEL_EXPORTER_OTLP_HEADERS": "key=value",
        "OTEL_TRACES_SAMPLER": "traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.1",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=home",
        "OTEL_SDK_DISABLED": "false",
        "PMESH_TRACES_SLOW_S": "2",
    }
    others = {"OTEL_SERVICE_NAME": "theirs", "OTEL_PYTHON_CONTEXT": "theirs", "PMESH_HOME": "there"}
    assert telemetry_environment(said | others) == said
    assert not base_environment(said | others).keys() & (said | others).keys()
