"""What S3 says of one object, and what it would say of all."""

import pytest
from botocore.exceptions import ClientError

from features.errors import FeaturesRefused, FeaturesUnavailable
from features.refusals import to_error


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDenied", FeaturesRefused),
        (400, "EntityTooLarge", FeaturesRefused),
        (400, "KeyTooLongError", FeaturesRefused),
        (500, "InternalError", FeaturesUnavailable),
        (503, "SlowDown", FeaturesUnavailable),
        (429, "TooManyRequests", FeaturesUnavailable),
        (400, "RequestTimeout", FeaturesUnavailable),
        (403, "SignatureDoesNotMatch", FeaturesUnavailable),
        (404, "NoSuchBucket", FeaturesUnavailable),
        (301, "PermanentRedirect", FeaturesUnavailable),
    ],
)
def test_a_refusal_is_about_one_object(
    status: int, code: str, kind: type[FeaturesUnavailable]
) -> None:
    error = ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "PutObject",
    )
    assert type(to_error(error)) is kind
    assert str(to_error(error)) == code
