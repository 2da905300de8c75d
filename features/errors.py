"""What can go wrong with features."""


class FeaturesUnavailable(Exception):
    """S3 does not take an object just now. The message is the code or the class of the cause."""
