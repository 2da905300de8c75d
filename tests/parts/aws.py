"""A real emulator of SNS, SQS and S3 for tests, and clients that talk to it."""

import socket
import subprocess
import sys
import urllib.request
from typing import Any, Literal, Self

import boto3

from tests.parts.polling import wait_until
from tests.parts.ports import free_port


class Aws:
    """moto, as the local stack runs it. What it holds is gone after `reset` and after `stop`."""

    def __init__(self) -> None:
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        server = [sys.executable, "-m", "pmesh.stack.aws_emulator", str(self._port)]
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *server],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._answers)

    def stop(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def reset(self) -> None:
        url = f"{self.environment['AWS_ENDPOINT_URL']}/moto-api/reset"
        urllib.request.urlopen(urllib.request.Request(url, method="POST")).close()  # noqa: S310

    def client(self, service: Literal["sns", "sqs", "s3"]) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            region_name=self.environment["AWS_DEFAULT_REGION"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self._port)).close()
        except OSError:
            return False
        return True
