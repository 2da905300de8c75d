"""What the policies of istio/ say of a call at the gateway."""

from collections.abc import Iterable, Mapping
from typing import Any

from contract.access import AccessPolicy
from tests.parts.access_cells import NO_ROLE, NO_SUBJECT, NO_TOKEN, Cell, Decide
from tests.parts.istio_policies import Call, Object, Workload, is_allowed

INGRESS = "istio-ingress/ingress"


def claims(access: AccessPolicy, role: str) -> Mapping[str, Any] | None:
    """Of a token of this role; None for none."""
    if role == NO_TOKEN:
        return None
    token = {"iss": access.tokens.issuer, "aud": [access.tokens.audience], "sub": "ann"}
    if role == NO_SUBJECT:
        del token["sub"]
        return {**token, access.tokens.roles_claim: list(access.roles)}
    return token if role == NO_ROLE else {**token, access.tokens.roles_claim: [role]}


def reaches(objects: Iterable[Object], call: Call) -> bool:
    """Whether it gets to the gateway."""
    return is_allowed(objects, Workload(namespace="predict-mesh", labels={"app": "gateway"}), call)


def by_istio(objects: Iterable[Object], access: AccessPolicy, caller: str = INGRESS) -> Decide:
    """Decides as the proxy beside the gateway."""

    def decide(cell: Cell) -> bool:
        return reaches(
            objects,
            Call(
                caller=caller,
                port=8080,
                method=cell.method,
                path=cell.path,
                claims=claims(access, cell.role),
            ),
        )

    return decide
