"""The table of istio/README.md: which identity may call which service."""

from collections.abc import Iterable, Iterator

from pmesh.render.services import Name, Rule, Services

_BEGIN = "<!-- made by `pmesh render` -->"
_END = "<!-- end -->"


def with_table(readme: str, services: Services) -> str:
    """The page with its table as it is now. Raises ValueError if the page has no place for it."""
    before, begin, rest = readme.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"istio/README.md has no lines {_BEGIN} and {_END} around its table")
    return f"{before}{begin}\n{_table(services)}\n{end}{after}"


def _table(services: Services) -> str:
    lines = [
        "| service | port | what | who is let in |",
        "| --- | --- | --- | --- |",
        *(
            f"| `{service}` | {rule.port} | {_rpcs(rule)} | {_names(rule.callers)} |"
            for service, rules in services.rules.items()
            for rule in rules
        ),
        *(
            f"| outside: {what} | | | {_names(callers)} |"
            for what, callers in services.outside.items()
        ),
    ]
    return "\n".join(lines)


def _rpcs(rule: Rule) -> str:
    return ", ".join(_names_of_rpcs(rule.rpcs)) or "all"


def _names_of_rpcs(rpcs: Iterable[str]) -> Iterator[str]:
    for rpc in rpcs:
        yield f"`{rpc.rpartition('/')[2]}`"


def _names(callers: Iterable[Name]) -> str:
    return ", ".join(f"`{caller}`" for caller in callers)
