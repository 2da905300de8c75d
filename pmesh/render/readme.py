"""The table of istio/README.md: which identity may call which service, and PostgreSQL as whom."""

from collections.abc import Iterable, Iterator, Mapping

from pmesh.render.services import DATABASE, POSTGRES, Name, Rule, Services

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
            f"| `{service}` | {rule.port} | {_rpcs(rule)} |"
            f" {_names(rule.callers, services.logins if service == POSTGRES else {})} |"
            for service, rules in services.rules.items()
            for rule in rules
        ),
        *(
            f"| outside: {what} | | |"
            f" {_names(callers, services.logins if what == DATABASE else {})} |"
            for what, callers in services.outside.items()
        ),
    ]
    return "\n".join(lines)


def _rpcs(rule: Rule) -> str:
    return ", ".join(_names_of_rpcs(rule.rpcs)) or "all"


def _names_of_rpcs(rpcs: Iterable[str]) -> Iterator[str]:
    for rpc in rpcs:
        yield f"`{rpc.rpartition('/')[2]}`"


def _names(callers: Iterable[Name], logins: Mapping[Name, str]) -> str:
    """logins: what they connect as, where that is PostgreSQL."""
    return ", ".join(
        f"`{caller}` as `{logins[caller]}`" if caller in logins else f"`{caller}`"
        for caller in callers
    )
