"""The `pmesh` command."""

import typer

from pmesh.cli import doctor, evaluate, logs, predict, release, stack, status, train


def main() -> None:
    """Run the command line."""
    command_line()()


def command_line() -> typer.Typer:
    """All commands."""
    application = typer.Typer(
        help="Predict Mesh: text models behind one gateway, all on this machine.",
        epilog="Start with [bold]pmesh up[/], then [bold]pmesh predict sentiment 'I like it'[/].",
        rich_markup_mode="rich",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    commands = {
        "up": stack.up,
        "down": stack.down,
        "status": status.status,
        "logs": logs.logs,
        "predict": predict.predict,
        "train": train.train,
        "eval": evaluate.evaluate,
        "release": release.release,
        "promote": release.promote,
        "rollback": release.rollback,
        "history": release.history,
        "doctor": doctor.doctor,
    }
    for name, command in commands.items():
        application.command(name)(command)
    return application
