"""YAML that people write, read so that nothing of it is lost or taken for another thing.

Refused are a key that is there twice, of which YAML's own reader keeps the last, and a whole number
that is not decimal: 012 is 10 there, and 1:30 is 90.
"""

import re
from typing import Any

import yaml

_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)")


class StrictLoader(yaml.SafeLoader):
    """For yaml.load and yaml.compose. Raises MarkedYAMLError, which knows the line."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Only with each key once."""
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)  # so that 12 and "12" are the same
            if name in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"{name} is there twice", problem_mark=key.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Only of a decimal."""
        if not _DECIMAL.fullmatch(node.value):
            raise yaml.MarkedYAMLError(
                problem=f"{node.value} is no decimal number; a text is in quotes",
                problem_mark=node.start_mark,
            )
        return super().construct_yaml_int(node)


StrictLoader.add_constructor("tag:yaml.org,2002:int", StrictLoader.construct_yaml_int)


def read_yaml(text: str) -> Any:
    """What a text says. Raises ValueError, which says in which line what is wrong."""
    try:
        return yaml.load(text, StrictLoader)  # noqa: S506 -- it is a safe one
    except yaml.MarkedYAMLError as error:
        raise ValueError(f"line {line_of(error)}: {error.problem}") from error
    except yaml.YAMLError as error:  # of a character that YAML does not have
        raise ValueError(str(error)) from error


def line_of(error: yaml.MarkedYAMLError) -> int:
    """Where it is, from 1."""
    return error.problem_mark.line + 1 if error.problem_mark else 1
