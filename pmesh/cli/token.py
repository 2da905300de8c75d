"""`pmesh token`, and the tokens that other commands send."""

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from pmesh.cli.options import HOME, HomeOption, fail, for_home
from pmesh.stack.home import Home

_OWN_S = 3600
_MOST_S = 366 * 86400
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What may follow "Bearer" in a header: RFC 6750."""


def token(
    role: Annotated[
        list[str] | None, typer.Option("--role", help="What it may do; again for several.")
    ] = None,
    subject: Annotated[str, typer.Option(help="Who calls; else you.")] = "",
    ttl: Annotated[
        int, typer.Option(min=1, max=_MOST_S, help="Seconds that it is good for.")
    ] = _OWN_S,
    home: HomeOption = HOME,
) -> None:
    """Print a token for the stack that pmesh up --auth starts, with the role app or others.

    [bold]curl -H "authorization: Bearer $(pmesh token)" 127.0.0.1:8080/v1/models[/]

    [bold]pmesh token --role operator --role analyst --subject anna[/]
    """
    from pmesh.stack.issuer import Issuer

    issuer = Issuer(Home(home))
    if not issuer.is_there:
        fail(f"the stack of {home} asks for no token", for_home("pmesh up --auth", home))
    roles = role or ["app"]
    try:
        if unknown := sorted(set(roles) - set(known := issuer.policy().roles)):
            fail(f"there is no role {', '.join(unknown)}", f"one of {', '.join(known)}")
        print(issuer.token(roles=roles, subject=subject, ttl_s=ttl))
    except (OSError, ValueError) as error:
        fail(str(error))


def callers_token(home: Path, *, address: str = "") -> str:
    """What a command sends: PMESH_TOKEN, else one with all roles for the stack's own gateway; ""
    if there is none. Ends the command for a PMESH_TOKEN that is no token.

    address: of a gateway elsewhere, if one is given.
    """
    if given := given_token():
        return given
    if address or not (here := Home(home)).access.exists():
        return ""
    from pmesh.stack.issuer import Issuer

    try:
        return Issuer(here).token(ttl_s=_OWN_S)
    except (OSError, ValueError) as error:
        fail(str(error))


def given_token() -> str:
    """PMESH_TOKEN; "" if it is not set. Ends the command if it is no token."""
    given = os.environ.get("PMESH_TOKEN", "")
    if given and not _TOKEN.fullmatch(given):  # not shown: it may be most of a secret
        fail(
            "PMESH_TOKEN is no token: one line of ASCII letters, digits and - . _ ~ + / =",
            "unset PMESH_TOKEN, or give it a token as the issuer made it",
        )
    return given
