"""Paths of HTTP rules as patterns."""

import pytest

from gateway.envoy.path_template import PathTemplate


@pytest.mark.parametrize(
    ("path", "pattern", "values", "variables"),
    [
        ("/", "^//$", "^//$", []),
        ("/v1.0/a-b_c", "^/v1%.0/a%-b%_c/$", "^/v1%.0/a%-b%_c/$", []),
        ("/v1/{x}/b", "^/v1/[^/:]+/b/$", "^/v1/([^/:]+)/b/$", ["x"]),
        ("/v1/{a.b}:do", "^/v1/[^/:]+:do/$", "^/v1/([^/:]+):do/$", ["a.b"]),
        ("/{x=a/*/b/*}/*", "^/a/[^/:]+/b/[^/:]+/[^/:]+/$", "^/(a/[^/:]+/b/[^/:]+)/[^/:]+/$", ["x"]),
        ("/{x=a/**}", "^/a/[^:]*$", "^/(a/[^:]*)$", ["x"]),
        ("/**:do", "^/[^:]*:do/$", "^/[^:]*:do/$", []),
        ("/{x}/{y}", "^/[^/:]+/[^/:]+/$", "^/([^/:]+)/([^/:]+)/$", ["x", "y"]),
    ],
)
def test_a_path_is_a_pattern_of_what_it_takes(
    path: str, pattern: str, values: str, variables: list[str]
) -> None:
    template = PathTemplate(path)
    assert (template.pattern, template.values) == (pattern, values)
    assert template.variables == variables


@pytest.mark.parametrize(
    "path",
    [
        "",
        "v1",
        "/v1/",
        "//a",
        "/{}",
        "/{x=}",
        "/{x}-{y}",
        "/{x}{y}",
        "/a:b:c",
        "/{x}:do/a",
        "/é",
        "/a b",
    ],
)
def test_another_text_is_no_path(path: str) -> None:
    with pytest.raises(ValueError, match="is not the path of an HTTP rule"):
        PathTemplate(path)


def test_the_narrower_path_is_first() -> None:
    paths = [
        "/v1/a/b",
        "/v1/a/{x}:b",
        "/v1/a/{x}",
        "/v1/a",
        "/v1/{x}/b",
        "/v1/{x=**}/b",
        "/v1/{x=**}",
    ]
    nodes = [PathTemplate(path).node for path in paths]
    assert sorted(nodes) == nodes
    assert PathTemplate("/v1/a:b").node == PathTemplate("/v1/a/b").node
