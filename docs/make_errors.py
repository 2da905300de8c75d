"""Makes docs/errors.md, the table of the errors that clients see, from the contract."""

import tempfile
from importlib.resources import files
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc
from predict.v1.error_reason_pb2 import ErrorReason

from contract import reasons

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "docs" / "errors.md"
PROTO = "predict/v1/error_reason.proto"
HEAD = """\
# Errors

Made by `make protos` from [error_reason.proto](../protos/predict/v1/error_reason.proto); not to be edited.

Every error is a `google.rpc.Status` with one `google.rpc.ErrorInfo`: its domain is `predict.v1`, its
reason one of these, its metadata has the keys named here (those in brackets where they apply). Metadata
with `field` come with a `google.rpc.BadRequest`, and a delay with a `google.rpc.RetryInfo`.

| reason | gRPC | HTTP | metadata | try again after | meaning |
| --- | --- | --- | --- | --- | --- |
"""  # noqa: E501


def table() -> str:
    """The document as the contract has it now."""
    comments = _comments()
    return HEAD + "".join(_row(reason, comments) for reason in sorted(reasons.all_reasons()))


def _row(reason: ErrorReason, comments: dict[int, str]) -> str:
    always, more = reasons.metadata_keys(reason)
    delay_s = reasons.retry_delay_s(reason)
    cells = [
        f"`{reasons.reason_name(reason)}`",
        reasons.grpc_code(reason).name,
        str(reasons.http_status(reason)),
        ", ".join([*sorted(always), *(f"[{key}]" for key in sorted(more))]),
        f"{delay_s:g} s" if delay_s else "",
        comments[reason],
    ]
    return f"| {' | '.join(cells)} |\n"


def _comments() -> dict[int, str]:
    """What the file says of each value; generated code does not have it."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "reasons.binpb"
        sources = [ROOT / "protos", ROOT / "build" / "third_party", files("grpc_tools") / "_proto"]
        arguments = [*(f"-I{source}" for source in sources), "--include_source_info"]
        if protoc.main(["protoc", *arguments, f"--descriptor_set_out={path}", PROTO]) != 0:
            raise RuntimeError(f"protoc failed on {PROTO}")
        (file,) = FileDescriptorSet.FromString(path.read_bytes()).file
    (enum,) = file.enum_type
    # https://protobuf.com/docs/descriptors#location-paths: 5 an enum of the file, 2 its values.
    return {
        enum.value[location.path[3]].number: " ".join(location.leading_comments.split())
        for location in file.source_code_info.location
        if len(location.path) == 4 and list(location.path[:3]) == [5, 0, 2]
    }


if __name__ == "__main__":
    TABLE.write_text(table())
