"""A kill at a chosen step of a program: see sitecustomize.py, which is put on its path."""

from pathlib import Path

FAULTS = Path(__file__).parent
"""For PYTHONPATH."""
