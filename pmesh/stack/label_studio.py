"""Label Studio: where people label. It is a part of the stack from `pmesh annotate up` on.

It keeps its data in SQLite: it needs the extension pg_trgm, which the stack's PostgreSQL lacks.
"""

import hashlib
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path

from pmesh.stack.home import Home
from pmesh.stack.part import Part
from pmesh.stack.readiness import answers_http
from webhooks.addresses import NOT_PUBLIC

USER = "admin@predict-mesh.local"
WEBHOOK_ADDRESS = "127.0.0.9"
"""The one address of this machine and its networks that Label Studio may call: nothing else
listens there."""

_LOOPBACK = "127.0.0.0/8"
_BANNED = (
    *(network for network in NOT_PUBLIC if network != _LOOPBACK),
    *map(str, IPv4Network(_LOOPBACK).address_exclude(IPv4Network(WEBHOOK_ADDRESS))),
)
_OF_THE_USER = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL")
"""It reads variables of common names, such as HOST, DEBUG and PASSWORD, which mean others."""


class LabelStudioPart:
    """Label Studio on a folder of the data directory."""

    def __init__(self, home: Home, *, port: int) -> None:
        self._directory = home.path / "label-studio"
        self._python = self._directory / "python"
        self._port = port
        self._home = home

    @property
    def is_on(self) -> bool:
        """Whether it belongs to the stack."""
        return self._python.exists()

    def turn_on(self, python: Path) -> None:
        """Have it belong to the stack. python: of the environment that it is installed in."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        self._python.write_text(str(python))

    def turn_off(self) -> None:
        """Have it not; its data stays."""
        self._python.unlink(missing_ok=True)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def token(self) -> str:
        """By which our programs may use it, in the form that it wants."""
        return hashlib.sha256(self._home.secret("label-studio-token").encode()).hexdigest()[:40]

    def part(self, *, environment: Mapping[str, str]) -> Part:
        """Its recipe. The first start takes a minute or two."""
        password = self._home.secret("label-studio")
        return Part(
            name="label-studio",
            command=(
                *(self._python.read_text(), "-P", "-m", "label_studio.server", "start"),
                *("--no-browser", "--internal-host", "127.0.0.1", "--port", str(self._port)),
                "--enable-legacy-api-token",
            ),
            environment={
                **{name: environment[name] for name in _OF_THE_USER if name in environment},
                "LABEL_STUDIO_BASE_DATA_DIR": str(self._directory),
                "LABEL_STUDIO_HOST": self.url,
                "LABEL_STUDIO_DEBUG": "false",
                "DJANGO_DB": "sqlite",
                # Not on the command line, which others can read.
                "LABEL_STUDIO_USERNAME": USER,
                "LABEL_STUDIO_PASSWORD": password,
                "LABEL_STUDIO_USER_TOKEN": self.token,
                "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
                "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
                # A page of another name or origin has no business with it.
                "LABEL_STUDIO_ALLOWED_HOSTS": "127.0.0.1,localhost",
                "LABEL_STUDIO_CORS_ALLOW_ALL_ORIGINS": "false",
                "LABEL_STUDIO_SSRF_PROTECTION_ENABLED": "true",
                "LABEL_STUDIO_USE_DEFAULT_BANNED_SUBNETS": "false",
                "LABEL_STUDIO_USER_ADDITIONAL_BANNED_SUBNETS": ",".join(_BANNED),
                "LABEL_STUDIO_ENABLE_LOCAL_FILES_STORAGE": "false",
                # It tells nobody of its users.
                "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
                "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
                "LABEL_STUDIO_FEATURE_FLAGS_OFFLINE": "true",
                "LABEL_STUDIO_SENTRY_DSN": "",
                "LABEL_STUDIO_FRONTEND_SENTRY_DSN": "",
            },
            is_ready=lambda: answers_http(self._port, "/health"),
            background=True,
            niceness=10,
            start_timeout_s=600,
        )
