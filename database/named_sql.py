"""Named SQL: a .sql file is a list of `-- name: x` sections."""

import re
from importlib.resources import files
from typing import LiteralString, cast


def load(package: str, filename: str = "queries.sql") -> dict[str, LiteralString]:
    """The statements of a package's SQL file by name.

    They are part of the program's source, hence literal for psycopg's types.
    """
    source = files(package).joinpath(filename).read_text(encoding="utf-8")
    _, *parts = re.split(r"^-- name: (\w+)\n", source, flags=re.MULTILINE)
    return cast(
        "dict[str, LiteralString]",
        {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)},
    )
