"""Writes deploy/grafana/dashboards/*.json.

python -m monitoring.dashboards             make them
python -m monitoring.dashboards --check     name those that are stale, and exit with 1
"""

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from monitoring.dashboards import database, model, overview, quality, queue, rollouts, triton

FOLDER = Path(__file__).parents[2] / "deploy/grafana/dashboards"
_PAGES = (overview, model, queue, database, triton, quality, rollouts)


def rendered() -> dict[str, str]:
    """The text of each file, by its name."""
    dashboards = [page.dashboard().build() for page in _PAGES]
    return {
        f"{dashboard.uid}.json": json.dumps(dashboard, cls=JSONEncoder, indent=2) + "\n"
        for dashboard in dashboards
    }


def main() -> None:
    """Do what the command line says."""
    wanted = rendered()
    there = {path.name: path.read_text() for path in FOLDER.glob("*.json")}
    stale = sorted(name for name in wanted | there if wanted.get(name) != there.get(name))
    if "--check" in sys.argv[1:]:
        sys.exit(f"stale, run make dashboards: {', '.join(stale)}" if stale else 0)
    for name in stale:
        if name in wanted:
            (FOLDER / name).write_text(wanted[name])
        else:
            (FOLDER / name).unlink()


if __name__ == "__main__":
    main()
