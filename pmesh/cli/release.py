"""`pmesh release`, `promote`, `rollback`, `pause`, `resume` and `cancel`: who gets the traffic."""

import getpass
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from predict.v1.model_pb2 import Release, ReleaseAction, ReleaseState

from pmesh.calls import CallFailedError
from pmesh.cli.arguments import parse
from pmesh.cli.options import HOME, HomeOption, console, fail, for_home, messages
from pmesh.cli.splits import split
from pmesh.cli.token import callers_token
from pmesh.releases import ReleaseClient
from pmesh.stack.control import Stack

_ACCEPTED = ReleaseState.RELEASE_STATE_ACCEPTED
_RUNNING = ReleaseState.RELEASE_STATE_RUNNING
_PAUSED = ReleaseState.RELEASE_STATE_PAUSED

ModelArgument = Annotated[str, typer.Argument(help="Id of the model, such as sentiment.")]
ActorOption = Annotated[str, typer.Option("--actor", help="Who, for the history.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the history.")]
AddressOption = Annotated[
    str,
    typer.Option(
        "--address",
        envvar="PMESH_GATEWAY",
        metavar="ADDRESS",
        help="Of a gateway elsewhere, HOST:PORT or https://HOST; else that of the stack.",
    ),
]


def release(context: typer.Context, address: AddressOption = "", home: HomeOption = HOME) -> None:
    """Bring a version into service: check it, load it, warm it up, give it traffic.

    pmesh release sentiment@3                         all the traffic
    pmesh release sentiment@3 --canary 0.1            a thousandth; then promote or rollback
    pmesh release sentiment@3 --steps 1,10,100 --pause 3600

    Ends when the version has its first share. Later steps are taken without this command; see
    pmesh history, pause, resume, cancel.
    """
    from pmesh.cli.release_options import add_release_options

    asked = parse(context, release, add_release_options)
    model, version = asked.version
    with _client(address, home) as client:
        accepted = client.release(
            model,
            version,
            steps=asked.steps or ([asked.canary] if asked.canary else []),
            pause_s=asked.pause,
            margin=asked.margin,
            actor=asked.actor,
            reason=asked.reason,
        )
        _tell(_follow(client, accepted, home, to_the_end=asked.wait), home)


def promote(
    model: ModelArgument,
    reason: ReasonOption = "",
    actor: ActorOption = "",
    address: AddressOption = "",
    home: HomeOption = HOME,
) -> None:
    """Give the newest version in the traffic all of it.

    [bold]pmesh promote sentiment --reason "a day without complaints"[/]
    """
    with _client(address, home) as client:
        action = ReleaseAction.RELEASE_ACTION_PROMOTE
        done = client.shift(model, action, actor=actor or getpass.getuser(), reason=reason)
    console.print(f"{model} {done.version} has all the traffic")


def rollback(
    model: ModelArgument,
    reason: ReasonOption = "",
    actor: ActorOption = "",
    address: AddressOption = "",
    home: HomeOption = HOME,
) -> None:
    """Go back to the split before the newest version, at once.

    [bold]pmesh rollback sentiment --reason "too many neutral answers"[/]
    """
    with _client(address, home) as client:
        action = ReleaseAction.RELEASE_ACTION_ROLLBACK
        done = client.shift(model, action, actor=actor or getpass.getuser(), reason=reason)
    console.print(f"{model} is back at {split(done.shares)}")


def pause(model: ModelArgument, address: AddressOption = "", home: HomeOption = HOME) -> None:
    """Keep a model's release at the step that it has reached.

    [bold]pmesh pause sentiment[/]
    """
    with _client(address, home) as client:
        chosen = _choose(_under_way(client, model, home), _RUNNING, _ACCEPTED, _PAUSED)
        assert chosen is not None  # it is in one of these states
        client.pause(chosen)
    name = f"{model} {chosen.version}"
    choices = for_home(f"pmesh resume {model}, or pmesh cancel {model}", home)
    console.print(f"{name} is paused; next: {choices}", markup=False)


def resume(model: ModelArgument, address: AddressOption = "", home: HomeOption = HOME) -> None:
    """Let a paused release go on, with its next step at once.

    [bold]pmesh resume sentiment[/]
    """
    with _client(address, home) as client:
        chosen = _choose(_under_way(client, model, home), _PAUSED)
        if chosen is None:
            fail(f"no release of {model} is paused", for_home(f"pmesh history {model}", home))
        client.resume(chosen)
    history = for_home(f"pmesh history {model}", home)
    console.print(f"{model} {chosen.version} goes on; {history} tells how it ends", markup=False)


def cancel(model: ModelArgument, address: AddressOption = "", home: HomeOption = HOME) -> None:
    """End a model's releases where they stand; the traffic stays as it is.

    [bold]pmesh cancel sentiment[/]
    """
    with _client(address, home) as client:
        for found in _under_way(client, model, home):
            client.cancel(found)
            console.print(f"{model} {found.version} is cancelled")
    back = for_home(f"pmesh rollback {model}", home)
    console.print(f"the traffic stays as it is; {back} brings it back", markup=False)


@contextmanager
def _client(address: str, home: Path) -> Iterator[ReleaseClient]:
    try:
        with ReleaseClient(*gateway(address, home)) as client:
            yield client
    except CallFailedError as error:
        fail(str(error), for_home(error.remedy, home))


def gateway(address: str, home: Path) -> tuple[str, str]:
    """The address that is given, or that of the stack's gateway, and the token to send there; ends
    the command if no stack runs.
    """
    token = callers_token(home, address=address)
    if address:
        return address, token
    if (status := Stack(home).status()) is None:
        fail(f"no stack runs on {home}", for_home("pmesh up", home))
    return f"127.0.0.1:{status.gateway_port}", token


def _under_way(client: ReleaseClient, model: str, home: Path) -> Sequence[Release]:
    if not (found := client.under_way(model)):
        fail(f"no release of {model} is under way", for_home(f"pmesh history {model}", home))
    return found


def _choose(releases: Sequence[Release], *states: ReleaseState) -> Release | None:
    """The newest one in the first of these states that there is one in."""
    return next((r for state in states for r in releases if r.state == state), None)


def _follow(client: ReleaseClient, accepted: Release, home: Path, *, to_the_end: bool) -> Release:
    """Show each change until the release has a share, or has ended; what it is then."""
    found = accepted
    nobody = "nobody has begun it yet: does `rollout watch` run? pmesh status tells"
    try:
        for found in client.follow(
            accepted, unattended=lambda: messages.print(for_home(nobody, home), markup=False)
        ):
            clock = time.strftime("%H:%M:%S")
            messages.print(f"{clock}  {found.model} {found.version}  {_stand(found)}", markup=False)
            if found.state == ReleaseState.RELEASE_STATE_PAUSED:
                break
            if found.steps_done and not to_the_end:
                break
    except KeyboardInterrupt:
        choices = f"pmesh history {found.model}, or pmesh cancel {found.model}"
        messages.print(f"the release goes on: {for_home(choices, home)}", markup=False)
        raise typer.Exit(128 + signal.SIGINT) from None
    return found


def _stand(found: Release) -> str:
    state = ReleaseState.Name(found.state).removeprefix("RELEASE_STATE_").lower()
    if not found.steps_done:
        return state
    share = f"{state}, step {found.steps_done} of {len(found.steps)}: {split(found.shares)}"
    if not found.HasField("next_step_time"):
        return share
    due = time.strftime("%H:%M:%S", time.localtime(found.next_step_time.seconds))
    return f"{share}; {found.steps[found.steps_done]:g} % at {due}"


def _tell(found: Release, home: Path) -> None:
    """Say how it stands, and what may come next; ends the command if it has no share."""
    history = f"pmesh history {found.model}"
    match found.state:
        case ReleaseState.RELEASE_STATE_REFUSED:
            _tell_refusal(found)
        case ReleaseState.RELEASE_STATE_INTERRUPTED:
            fail(f"the release ended: {found.detail}", for_home(history, home))
        case ReleaseState.RELEASE_STATE_PAUSED:
            fail("somebody has paused the release", for_home(f"pmesh resume {found.model}", home))
    if found.detail:
        messages.print(found.detail, markup=False)
    console.print(f"{found.model} is at {split(found.shares)}")
    if found.state == ReleaseState.RELEASE_STATE_RUNNING:
        following = f"the other steps; {history} tells of them"
        messages.print(f"next: {for_home(following, home)}", markup=False)
    elif len(found.shares) > 1:
        choices = f"pmesh promote {found.model}, or pmesh rollback {found.model}"
        messages.print(f"next: {for_home(choices, home)}", markup=False)


def _tell_refusal(found: Release) -> NoReturn:
    from rollout.refusal import remedy

    foreign = _is_foreign(found.model, found.version)
    fail(
        f"{found.model}@{found.version} is refused: {found.refusal}: {found.detail}",
        remedy(found.refusal, foreign=foreign),
    )


def _is_foreign(model: str, version: str) -> bool:
    """Whether this checkout says that a server of others answers for a version."""
    from modelkit.values import InvalidValues, model_folder, read_values

    try:
        return version in read_values(model_folder(model)).foreign
    except (InvalidValues, OSError):
        return False
