"""The AWS emulators: SNS and SQS by moto, which forgets all at a restart, and S3 by rclone."""

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pmesh.stack.binaries import script
from pmesh.stack.home import Home
from pmesh.stack.part import Part
from pmesh.stack.readiness import accepts_connections, answers_http

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


def aws_part(*, port: int, environment: Mapping[str, str], provision: Callable[[], None]) -> Part:
    """SNS and SQS. `provision` makes topic and queues, after each start."""
    return Part(
        name="aws",
        command=(sys.executable, "-P", "-m", "pmesh.stack.aws_emulator", str(port)),
        environment=environment,
        needs=("s3",),  # where provisioning makes a bucket
        is_ready=lambda: answers_http(port, "/moto-api/data.json"),
        after=provision,
    )


def s3_part(
    home: Home, *, port: int, environment: Mapping[str, str], key_id: str, secret: str
) -> Part:
    """S3 on a directory, which survives."""
    objects = home.path / "s3"
    return Part(
        name="s3",
        command=(
            *(str(script("rclone")), "serve", "s3", "--config", ""),
            *("--addr", f"127.0.0.1:{port}", str(objects)),
        ),
        environment={**environment, "RCLONE_AUTH_KEY": f'"{key_id},{secret}"'},
        before=lambda: objects.mkdir(exist_ok=True),
        is_ready=lambda: accepts_connections(port),
    )


def s3_client(variables: Mapping[str, str]) -> "S3Client":
    """For a process of another environment. variables: as the parts get them."""
    import boto3

    from bus.aws import CONFIG

    return boto3.client(
        "s3",
        config=CONFIG,
        endpoint_url=variables["AWS_ENDPOINT_URL_S3"],
        region_name=variables["AWS_DEFAULT_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )
