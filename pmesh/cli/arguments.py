"""Arguments that a command hands on to a program, which declares and checks them once."""

import argparse
import inspect
from collections.abc import Callable
from typing import Any, NoReturn

import typer

from pmesh.cli.options import HOME, HOME_HELP, fail

HANDED_ON: dict[str, Any] = {
    "context_settings": {"ignore_unknown_options": True, "allow_extra_args": True},
    "add_help_option": False,  # `parse` shows it
}
"""How typer is told to leave the arguments of a command alone."""


def parse(
    context: typer.Context,
    command: Callable[..., None],
    add_options: Callable[[argparse.ArgumentParser], None],
) -> argparse.Namespace:
    """What the program will understand of the arguments; its options are those of add_options.

    Shows the help if that is asked for: what the command says of itself, and the options. Ends the
    command if the arguments are wrong.
    """
    parser = _Parser(
        prog=context.command_path,
        description=inspect.getdoc(command),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser)
    # Shown here; typer has taken it out.
    parser.add_argument("--home", metavar="PATH", help=f"{HOME_HELP} Else PMESH_HOME, or {HOME}.")
    return parser.parse_args(context.args)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong as the other commands do."""

    def error(self, message: str) -> NoReturn:
        fail(message, f"{self.prog} --help")
