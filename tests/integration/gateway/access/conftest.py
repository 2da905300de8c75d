from collections.abc import Iterator

import pytest

from contract.access import policy
from tests.integration.gateway.access.serving import (
    ISSUER,
    MODEL,
    OTHER_MODEL,
    Serving,
    serving,
)
from tests.parts.postgres import Postgres

TOKENS = {"issuer": ISSUER, "audience": "predict-mesh", "jwks": "/keys.json"}
ROLES: dict[str, dict[str, list[str]]] = {
    "app": {"predict": [MODEL]},
    "app-of-the-other": {"predict": [OTHER_MODEL]},
    "reader": {"read": [MODEL]},
    "labeller": {"label": [MODEL]},
    "manager": {"manage": [MODEL]},
    "operator": {"observe": [MODEL], "release": [MODEL]},
    "everything-else": {
        name: [OTHER_MODEL] for name in ("predict", "read", "label", "manage", "observe", "release")
    },
    "everywhere": {"predict": ["*"], "read": ["*"]},
}


@pytest.fixture(scope="module")
def gateway(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Without limits."""
    database = postgres.create_database()
    with serving(database, tmp_path_factory.mktemp("access"), policy(TOKENS, ROLES, {})) as found:
        yield found
    postgres.drop_database(database)
