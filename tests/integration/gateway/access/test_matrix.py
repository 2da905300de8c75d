"""Every rpc, asked by everybody: what each may is what contract.access says of his role, and whose
the prediction is.
"""

from typing import Any
from uuid import UUID, uuid4

import pytest

from contract.access import PERMISSIONS, Permission
from contract.ids import uuid7
from tests.integration.gateway.access.conftest import ROLES
from tests.integration.gateway.access.rows import ROWS, About, Row, accepted, finished
from tests.integration.gateway.access.serving import MODEL, OTHER_MODEL, Caller, Outcome, Serving
from tests.parts.doors import METHODS
from tests.parts.refusals import check_reason

OWNER = Caller("owner", ("app",))
OPERATOR = Caller("operator", ("operator",))
NO_MODEL = "sword"
"""Where none is; as long as the name of the one that there is."""
CALLERS = {
    "owner": OWNER,
    "stranger": Caller("stranger", ("app",)),
    "reader": Caller("reader", ("reader",)),
    "labeller": Caller("labeller", ("labeller",)),
    "manager": Caller("manager", ("manager",)),
    "operator": OPERATOR,
    "of another model": Caller("elsewhere", ("everything-else",)),
    "nobody": Caller("nobody", ("no-such-role",)),
    "unnamed": None,
}
NOT_FOUND = {
    About.PREDICTION: "PREDICTION_NOT_FOUND",
    About.LABEL: "LABEL_NOT_FOUND",
    About.RELEASE: "RELEASE_NOT_FOUND",
}


def made(gateway: Serving, row: Row) -> str:
    """The id of something that the owner may ask for by this rpc."""
    return row.make(gateway, OPERATOR if row.about is About.RELEASE else OWNER)


def test_each_rpc_has_a_row() -> None:
    assert ROWS.keys() == METHODS.keys()


def expected(rpc: str, who: str) -> str:
    """Why it is refused; "" for not at all; "unseen": the owner's is not in the list."""
    row, caller = ROWS[rpc], CALLERS[who]
    if caller is None:
        return "UNAUTHENTICATED"
    asked = PERMISSIONS[f"/{METHODS[rpc].containing_service.full_name}/{rpc}"]
    grants = {
        Permission(name): granted
        for role in caller.roles
        for name, granted in ROLES.get(role, {}).items()
        if Permission(name) in asked
    }
    if not grants:
        return "PERMISSION_DENIED"
    of_model = {name for name, granted in grants.items() if MODEL in granted}
    owned = (About.PREDICTION, About.LABEL, About.LIST)
    if row.about in owned and rpc != "ListModels" and caller != OWNER:
        of_model -= {Permission.PREDICT}
    if of_model:
        return row.otherwise
    if row.about is About.LIST:
        return "unseen"
    return NOT_FOUND.get(row.about, "PERMISSION_DENIED")


def seen(outcome: Outcome, id_: str) -> bool:
    """Whether it is in a list."""
    (message,) = outcome.messages
    ((_, found),) = [
        (field, value) for field, value in message.ListFields() if field.is_repeated
    ] or [(None, [])]
    return any(id_ in (one.id, getattr(one, "prediction_id", "")) for one in found)


@pytest.mark.parametrize("who", CALLERS)
@pytest.mark.parametrize("rpc", ROWS)
def test_everybody_may_what_his_role_says_and_the_owner_with_his_own(
    gateway: Serving, rpc: str, who: str
) -> None:
    row, caller = ROWS[rpc], CALLERS[who]
    id_ = made(gateway, row)
    outcome = gateway.call(rpc, row.request(id_), caller)
    reason = outcome.reason
    if row.about is About.LIST and not reason and not seen(outcome, id_):
        reason = "unseen"
    assert reason == expected(rpc, who), outcome.details


OUT_OF_REACH = [
    (rpc, who) for rpc in ROWS for who in CALLERS if expected(rpc, who) in NOT_FOUND.values()
]


def test_there_are_such_calls() -> None:
    assert {rpc for rpc, _ in OUT_OF_REACH} == {
        rpc for rpc, row in ROWS.items() if row.about in NOT_FOUND
    }
    assert {who for _, who in OUT_OF_REACH} == {"stranger", "of another model"}


def told(outcome: Outcome, name: str) -> bytes:
    """All that comes back, but for the name of what was asked for."""
    answers = [message.SerializeToString(deterministic=True) for message in outcome.messages]
    status = outcome.status.SerializeToString(deterministic=True)
    all_of_it = (outcome.code, outcome.details, status, answers, outcome.metadata)
    return repr(all_of_it).replace(name, "NAME").encode()


def recorded(gateway: Serving, id_: str) -> list[dict[str, Any]]:
    """The rows of a prediction and its labels, of a label, or of a release."""
    with gateway.database.connect() as connection:
        return connection.execute(
            "SELECT to_jsonb(r) AS row FROM requests r WHERE id = %(id)s"
            " UNION ALL SELECT to_jsonb(r) FROM releases r WHERE id = %(id)s"
            " UNION ALL SELECT to_jsonb(l) FROM labels l WHERE prediction_id IN ("
            "     SELECT %(id)s UNION SELECT prediction_id FROM labels WHERE id = %(id)s)",
            {"id": UUID(id_)},
        ).fetchall()


@pytest.mark.parametrize(("rpc", "who"), OUT_OF_REACH)
def test_what_is_out_of_reach_is_as_if_it_were_not_there(
    gateway: Serving, rpc: str, who: str
) -> None:
    row = ROWS[rpc]
    id_, unknown = made(gateway, row), uuid7()
    before = recorded(gateway, id_)
    of_it, of_nothing = (
        told(gateway.call(rpc, row.request(name), CALLERS[who]), name) for name in (id_, unknown)
    )
    assert of_it == of_nothing
    assert recorded(gateway, id_) == before


@pytest.mark.parametrize("rpc", ["GetPrediction", "WaitPrediction", "WatchPrediction"])
@pytest.mark.parametrize("who", ["stranger", "of another model"])
def test_what_is_unfinished_and_out_of_reach_is_not_waited_for(
    gateway: Serving, rpc: str, who: str
) -> None:
    row = ROWS[rpc]
    of_it, of_nothing = (
        told(gateway.call(rpc, row.request(name), CALLERS[who]), name)
        for name in (accepted(gateway, OWNER), uuid7())
    )
    assert of_it == of_nothing


@pytest.mark.parametrize("rpc", ["GetPrediction", "WaitPrediction", "WatchPrediction"])
def test_who_reads_one_model_and_predicts_with_another_reads_of_others_the_one(
    gateway: Serving, rpc: str
) -> None:
    both = Caller("both", ("reader", "app-of-the-other"))
    of_other = gateway.predict(Caller("elsewhere", ("everything-else",)), model=OTHER_MODEL).id
    own = gateway.predict(both, model=OTHER_MODEL).id
    reasons = [
        gateway.call(rpc, ROWS[rpc].request(id_), both).reason
        for id_ in (finished(gateway, OWNER), own, of_other)
    ]
    assert reasons == ["", "", "PREDICTION_NOT_FOUND"]


@pytest.mark.parametrize("rpc", [rpc for rpc, row in ROWS.items() if row.about is About.MODEL])
def test_nobody_is_told_which_models_there_are_that_are_not_for_him(
    gateway: Serving, rpc: str
) -> None:
    outcomes = {
        name: gateway.call(rpc, ROWS[rpc].request(name), CALLERS["of another model"])
        for name in (MODEL, NO_MODEL)
    }
    assert {outcome.reason for outcome in outcomes.values()} == {"PERMISSION_DENIED"}
    assert len({told(outcome, name) for name, outcome in outcomes.items()}) == 1


@pytest.mark.parametrize("rpc", ["Predict", "GetPrediction", "SetTraffic", "AttachLabel"])
def test_permission_comes_before_what_is_wrong_with_a_request(gateway: Serving, rpc: str) -> None:
    method: Any = METHODS[rpc]
    empty = ROWS[rpc].request(str(uuid4())).__class__()
    assert method.input_type.full_name == empty.DESCRIPTOR.full_name
    check_reason(gateway.call(rpc, empty, None).answer, "UNAUTHENTICATED")
    check_reason(gateway.call(rpc, empty, CALLERS["nobody"]).answer, "PERMISSION_DENIED")
