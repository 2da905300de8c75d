"""The same as `pmesh`: `python -m pmesh.cli`."""

from pmesh.cli import main

main()
