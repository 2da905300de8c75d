"""Which answers of S3 are about one object, and which mean that it takes none just now."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from features.errors import FeaturesRefused, FeaturesUnavailable

# Below 500, and yet every object would get them.
_OF_ALL = frozenset(
    {
        "AuthorizationHeaderMalformed",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "NoSuchBucket",
        "PermanentRedirect",
        "RequestLimitExceeded",
        "RequestTimeTooSkewed",
        "RequestTimeout",
        "SignatureDoesNotMatch",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TokenRefreshRequired",
    }
)
_TOO_MANY_REQUESTS = 429


_CONDITION = frozenset({"PreconditionFailed", "NoSuchKey"})
"""Of a write that holds for one state of an object only: it has another, or there is none."""


@contextmanager
def translated() -> Iterator[None]:
    """Calls of S3 that fail raise FeaturesUnavailable, and FeaturesRefused if others may go."""
    try:
        yield
    except ClientError as error:
        raise to_error(error) from error
    except BotoCoreError as error:
        raise FeaturesUnavailable(type(error).__name__) from error


def is_condition(error: ClientError) -> bool:
    """Whether the object is not in the state that was asked for."""
    return error.response["Error"]["Code"] in _CONDITION


def to_error(error: ClientError) -> FeaturesUnavailable:
    """FeaturesRefused if the answer is about one object."""
    code = error.response["Error"]["Code"]
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    if code in _OF_ALL or status == _TOO_MANY_REQUESTS or not 400 <= status < 500:
        return FeaturesUnavailable(code)
    return FeaturesRefused(code)
