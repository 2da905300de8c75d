"""Arguments that several programs take on their command lines."""

import argparse

from contract.version_name import VersionName


def version_name(text: str) -> VersionName:
    """The type of an argument NAME@VERSION."""
    try:
        return VersionName.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
