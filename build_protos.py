"""Generates the Python code of the contract into build/gen, at install and by `make protos`.

Imported Google protos come from the installed googleapis-common-protos; build/third_party
links them for buf.
"""

import shutil
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from google.rpc import status_pb2
from grpc_tools import protoc
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
OUT = ROOT / "build" / "gen"
THIRD_PARTY = ROOT / "build" / "third_party" / "google"


class ProtosBuildHook(BuildHookInterface[Any]):
    """Runs the generator before the package is built or installed."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generate, and have what git ignores taken into the wheel."""
        generate()
        build_data["artifacts"] += ["build/gen/predict"]


def generate() -> None:
    """Write messages, typed stubs and the descriptor set that Envoy's transcoder reads."""
    includes = _include_dirs()
    protos = sorted(str(p.relative_to(ROOT / "protos")) for p in ROOT.glob("protos/**/*.proto"))
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    plugin = Path(sys.executable).parent / "protoc-gen-mypy_grpc"
    arguments = [
        "protoc",
        f"--plugin={plugin}",
        f"-I{ROOT / 'protos'}",
        *(f"-I{directory}" for directory in includes),
        f"--python_out={OUT}",
        f"--pyi_out={OUT}",
        f"--grpc_python_out={OUT}",
        f"--mypy_grpc_out={OUT}",
        f"--descriptor_set_out={OUT / 'predict' / 'v1' / 'descriptors.binpb'}",
        "--include_imports",
    ]
    (OUT / "predict" / "v1").mkdir(parents=True)
    # The detail types of errors: no rpc names them, the transcoder must know them.
    if protoc.main([*arguments, *protos, "google/rpc/error_details.proto"]) != 0:
        sys.exit("protoc failed")
    for package in (OUT / "predict", *(path for path in OUT.glob("predict/**/") if path.is_dir())):
        (package / "__init__.py").touch()
        (package / "py.typed").touch()
    shutil.rmtree(OUT / "google", ignore_errors=True)


def _include_dirs() -> list[Path]:
    """Where the installed packages keep google/protobuf, google/api and google/rpc."""
    well_known = Path(str(files("grpc_tools"))) / "_proto"
    googleapis = Path(status_pb2.__file__).parent.parent
    THIRD_PARTY.mkdir(parents=True, exist_ok=True)
    for name in ("api", "rpc"):
        link = THIRD_PARTY / name
        link.unlink(missing_ok=True)
        link.symlink_to(googleapis / name)
    return [well_known, googleapis.parent]


if __name__ == "__main__":
    generate()
