"""Why a caller is refused, whatever is asked: errors as those of contract/errors.py."""

from collections.abc import Collection

from predict.v1.error_reason_pb2 import ErrorReason

from contract.access import Permission
from contract.errors import PredictError


class Unauthenticated(PredictError):
    """Nothing tells who calls."""

    reason = ErrorReason.ERROR_REASON_UNAUTHENTICATED

    def __init__(self) -> None:
        super().__init__("a valid token is needed, as: authorization: Bearer TOKEN")


class KeysUnavailable(PredictError):
    """The keys of the tokens' issuer could not be fetched yet."""

    reason = ErrorReason.ERROR_REASON_KEYS_UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("the keys of the issuer of tokens cannot be fetched; try again")


class PermissionDenied(PredictError):
    """No role of the caller gives any of these permissions, for this model or at all."""

    reason = ErrorReason.ERROR_REASON_PERMISSION_DENIED

    def __init__(self, permissions: Collection[Permission], model: str = "") -> None:
        permission = " or ".join(sorted(permissions)) or "a right to this rpc"
        of_model = {"model": model} if model else {}
        super().__init__(
            f"no role of the caller gives {permission}"
            + (f" for model {model!r}" if model else ""),
            permission=permission,
            **of_model,
        )


class RateLimited(PredictError):
    """More texts come than may."""

    reason = ErrorReason.ERROR_REASON_RATE_LIMITED

    def __init__(self, limit: str, texts_per_second: int) -> None:
        """limit: whose, "caller" or "model"."""
        super().__init__(
            f"this {limit} may send {texts_per_second} texts a second",
            limit=limit,
            texts_per_second=texts_per_second,
        )
