"""Which answers of S3 are about one object, and which mean that it takes none just now."""

from botocore.exceptions import ClientError

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


def to_error(error: ClientError) -> FeaturesUnavailable:
    """FeaturesRefused if the answer is about one object."""
    code = error.response["Error"]["Code"]
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    if code in _OF_ALL or status == _TOO_MANY_REQUESTS or not 400 <= status < 500:
        return FeaturesUnavailable(code)
    return FeaturesRefused(code)
