"""What can go wrong with features."""


class FeaturesUnavailable(Exception):
    """S3 does not take an object just now. The message is the code or the class of the cause."""


class FeaturesRefused(FeaturesUnavailable):
    """S3 is there and does not take this object; it may take others."""


class SpoolInUse(OSError):
    """Another process appends to the folder."""
