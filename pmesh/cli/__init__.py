"""The `pmesh` command."""

from collections.abc import Callable

import typer

from pmesh.cli import (
    alerts,
    annotate,
    doctor,
    erase,
    evaluate,
    history,
    labels,
    logs,
    models,
    monitor,
    predict,
    provision,
    release,
    render,
    retrain,
    stack,
    status,
    token,
    train,
)
from pmesh.cli.arguments import HANDED_ON


def main() -> None:
    """Run the command line."""
    command_line()()


def command_line() -> typer.Typer:
    """All commands."""
    application = typer.Typer(
        help="Predict Mesh: text models behind one gateway, all on this machine or in production.",
        epilog="Start with [bold]pmesh up[/], then [bold]pmesh predict sentiment 'I like it'[/].",
        rich_markup_mode="rich",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    commands: dict[str, Callable[..., None]] = {
        "up": stack.up,
        "down": stack.down,
        "status": status.status,
        "logs": logs.logs,
        "predict": predict.predict,
        "erase": erase.erase,
        "train": train.train,
        "retrain": retrain.retrain,
        "eval": evaluate.evaluate,
        "release": release.release,
        "promote": release.promote,
        "rollback": release.rollback,
        "pause": release.pause,
        "resume": release.resume,
        "cancel": release.cancel,
        "history": history.history,
        "doctor": doctor.doctor,
        "token": token.token,
        "label": labels.label,
        "provision": provision.provision,
        "render": render.render,
    }
    handed_on = (train.train, evaluate.evaluate, release.release)
    for name, command in commands.items():
        application.command(name, **HANDED_ON if command in handed_on else {})(command)
    group = typer.Typer(help="The models of this checkout.", no_args_is_help=True)
    group.command()(models.new)
    group.command("list")(models.list_models)
    application.add_typer(group, name="models")
    group = typer.Typer(help="What was true of predictions.", no_args_is_help=True)
    group.command("import")(labels.import_labels)
    group.command("list")(labels.list_labels)
    application.add_typer(group, name="labels")
    group = typer.Typer(help="How well each model does, hour by hour.", no_args_is_help=True)
    group.command()(monitor.run)
    group.command()(monitor.reference)
    group.command()(monitor.report)
    application.add_typer(group, name="monitor")
    group = typer.Typer(help="What is wrong with models, and who sees to it.", cls=alerts.ListGroup)
    group.command("list")(alerts.list_alerts)
    group.command("ack")(alerts.acknowledge)
    group.command()(alerts.resolve)
    group.command()(alerts.render)
    application.add_typer(group, name="alerts")
    group = typer.Typer(help="Have people label predictions.", no_args_is_help=True)
    group.command()(annotate.up)
    group.command()(annotate.down)
    group.command()(annotate.push)
    group.command()(annotate.pull)
    group.command()(annotate.agreement)
    application.add_typer(group, name="annotate")
    return application
