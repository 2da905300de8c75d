from typing import Any


def local_reply_config() -> dict[str, Any]:
    return {}
