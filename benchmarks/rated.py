"""Rated texts to learn from and to be asked about."""

from pathlib import Path

from training.train import shipped_data

FILES = ("movies.tsv", "amazon.tsv", "tweets.tsv")
FOLDER = "SENTIMENT_DATA"
"""The variable that may name the folder."""


def rated_files(folder: str | Path | None) -> list[Path]:
    """Those of a folder, or those that ship."""
    return [Path(folder) / name for name in FILES] if folder else shipped_data("sentiment")
