"""Generates the Python code of the contract into build/gen, at install and by `make protos`.

What the contract imports comes from installed packages, and is put where buf finds it, into
build/third_party: Google's protos as links into googleapis-common-protos, and buf/validate from
the descriptor in protovalidate, which brings no source.
"""

import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import protovalidate
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.rpc import status_pb2
from grpc_tools import protoc
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
OUT = ROOT / "build" / "gen"
THIRD_PARTY = ROOT / "build" / "third_party"
VALIDATE = "buf/validate/validate.proto"


class ProtosBuildHook(BuildHookInterface[Any]):
    """Runs the generator before the package is built or installed."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generate, and have what git ignores taken into the wheel."""
        generate()
        build_data["artifacts"] += ["build/gen/predict", "build/gen/buf"]


def generate() -> None:
    """Write messages, typed stubs and the descriptor set that Envoy's transcoder reads."""
    third_party()
    well_known = Path(str(files("grpc_tools"))) / "_proto"
    protos = sorted(str(p.relative_to(ROOT / "protos")) for p in ROOT.glob("protos/**/*.proto"))
    shutil.rmtree(OUT, ignore_errors=True)
    descriptors = OUT / "predict" / "v1" / "descriptors.binpb"
    descriptors.parent.mkdir(parents=True)
    plugin = Path(sys.executable).parent / "protoc-gen-mypy_grpc"
    arguments = [
        "protoc",
        f"--plugin={plugin}",
        f"-I{ROOT / 'protos'}",
        f"-I{THIRD_PARTY}",
        f"-I{well_known}",
        f"--python_out={OUT}",
        f"--pyi_out={OUT}",
    ]
    services = [
        f"--grpc_python_out={OUT}",
        f"--mypy_grpc_out={OUT}",
        f"--descriptor_set_out={descriptors}",
        "--include_imports",
    ]
    # The detail types of errors: no rpc names them, the transcoder must know them.
    if protoc.main([*arguments, *services, *protos, "google/rpc/error_details.proto"]) != 0:
        sys.exit("protoc failed")
    if protoc.main([*arguments, VALIDATE]) != 0:
        sys.exit(f"protoc failed on {VALIDATE}")
    for package in (path for path in OUT.glob("**/") if path != OUT):
        (package / "__init__.py").touch()
        (package / "py.typed").touch()
    shutil.rmtree(OUT / "google", ignore_errors=True)


def third_party() -> None:
    """Put what the contract imports into build/third_party."""
    google = Path(status_pb2.__file__).parent.parent
    (THIRD_PARTY / "google").mkdir(parents=True, exist_ok=True)
    for name in ("api", "rpc"):
        link = THIRD_PARTY / "google" / name
        link.unlink(missing_ok=True)
        link.symlink_to(google / name)
    validate = THIRD_PARTY / VALIDATE
    validate.parent.mkdir(parents=True, exist_ok=True)
    validate.write_text(_source(protovalidate.ViolationPb.desc().file.proto.to_binary()))


def _source(serialized: bytes) -> str:
    """A file of proto2 as source, without comments, options of fields and what is reserved.

    Those options are CEL for engines of protovalidate, each of which has its own copy.
    """
    file = FileDescriptorProto.FromString(serialized)
    lines = [
        f"// Printed from the descriptor in the package protovalidate {version('protovalidate')}.",
        f'syntax = "{file.syntax or "proto2"}";',
        f"package {file.package};",
        *(f'import "{name}";' for name in file.dependency),
        *(f"option {line};" for line in _options(file)),
        *(line for field in file.extension for line in _extension(field)),
        *(line for message in file.message_type for line in _message(message)),
        *(line for enum in file.enum_type for line in _enum(enum)),
    ]
    return "\n".join(lines) + "\n"


def _options(file: FileDescriptorProto) -> Iterator[str]:
    for option, value in file.options.ListFields():
        yield f"{option.name} = {str(value).lower() if isinstance(value, bool) else _quoted(value)}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\") + '"'


def _message(message: DescriptorProto) -> Iterator[str]:
    yield f"message {message.name} {{"
    for field in message.field:
        if not field.HasField("oneof_index"):
            yield f"  {_label(field)} {_field(field)}"
    for index, oneof in enumerate(message.oneof_decl):
        yield f"  oneof {oneof.name} {{"
        for field in message.field:
            if field.HasField("oneof_index") and field.oneof_index == index:
                yield f"    {_field(field)}"
        yield "  }"
    for numbers in message.extension_range:
        yield f"  extensions {numbers.start} to {numbers.end - 1};"
    yield "}"


def _extension(field: FieldDescriptorProto) -> Iterator[str]:
    yield f"extend {field.extendee} {{"
    yield f"  {_label(field)} {_field(field)}"
    yield "}"


def _label(field: FieldDescriptorProto) -> str:
    return FieldDescriptorProto.Label.Name(field.label).removeprefix("LABEL_").lower()


def _field(field: FieldDescriptorProto) -> str:
    kind = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    return f"{field.type_name or kind} {field.name} = {field.number};"


def _enum(enum: EnumDescriptorProto) -> Iterator[str]:
    yield f"enum {enum.name} {{"
    yield from (f"  {value.name} = {value.number};" for value in enum.value)
    yield "}"


if __name__ == "__main__":
    generate()
