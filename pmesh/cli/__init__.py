"""The `pmesh` command."""

import typer

from pmesh.cli import doctor, logs, models, predict, stack, status, train


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
    for command in (
        stack.up,
        stack.down,
        status.status,
        logs.logs,
        predict.predict,
        train.train,
        doctor.doctor,
    ):
        application.command()(command)
    group = typer.Typer(help="The models of this checkout.", no_args_is_help=True)
    group.command()(models.new)
    group.command("list")(models.list_models)
    application.add_typer(group, name="models")
    return application
