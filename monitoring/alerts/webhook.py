"""Who is told what becomes of alerts."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contract.settings import InvalidSetting
from webhooks.addresses import InvalidUrl, Target, read_url
from webhooks.signature import InvalidSecret, read_secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A receiver, and what it checks the sender by."""

    target: Target
    keys: Sequence[bytes]
    allowed_hosts: Sequence[str] = ()
    tls: ssl.SSLContext | None = None
    """What its certificate is checked against; None: what the system trusts."""


def read_webhook(
    url: str, *, secrets: Sequence[str], secrets_file: str, allowed_hosts: Sequence[str]
) -> Webhook | None:
    """What the settings say; None without a URL. Raises InvalidSetting, OSError."""
    if not url:
        return None
    try:
        if secrets_file:
            lines = Path(secrets_file).read_text(encoding="ascii", errors="replace").split()
            secrets = [*secrets, *lines]
        if not secrets:
            raise InvalidSetting(
                "PMESH_ALERTS_WEBHOOK_URL is set, and neither PMESH_ALERTS_WEBHOOK_SECRETS nor"
                " PMESH_ALERTS_WEBHOOK_SECRETS_FILE says what to sign with"
            )
        return Webhook(
            target=read_url(url, allowed_hosts),
            keys=[read_secret(secret) for secret in secrets],
            allowed_hosts=allowed_hosts,
        )
    except (InvalidUrl, InvalidSecret) as error:
        raise InvalidSetting(str(error)) from error
