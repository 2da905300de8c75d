"""`pmesh render`: what must agree with mesh.yaml and the models."""

from pathlib import Path
from typing import Annotated

import typer

from pmesh.cli.options import console, fail


def render(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if anything is not as it ought.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIRECTORY", help="Where to write, instead of over this checkout's own."
        ),
    ] = None,
) -> None:
    """Write the objects of istio/ and the charts' values, from mesh.yaml and models/*/values.yaml.

    What is committed must be what this makes: [bold]make lint[/] checks it. Files whose model is
    gone are removed.

    [bold]pmesh render[/]
    [bold]pmesh render --check[/]
    """
    from modelkit.alerts import InvalidAlerts
    from modelkit.values import InvalidValues, model_folder, read_models
    from pmesh.mesh_file import InvalidMesh
    from pmesh.render import rendering
    from pmesh.render.services import InvalidServices

    root = model_folder("").parent
    to = output or root
    try:
        files = rendering.render(root, read_models())
        changed = rendering.stale(to, files) if check else rendering.write(to, files)
    except (InvalidMesh, InvalidServices, InvalidValues, InvalidAlerts) as error:
        fail(str(error))
    except (OSError, ValueError) as error:
        fail(str(error), "run it in a checkout, which has mesh.yaml and istio/")
    for path in changed:
        console.print(str(path), markup=False)
    if check and changed:
        fail(f"{len(changed)} files are not what mesh.yaml and the models say", "pmesh render")
