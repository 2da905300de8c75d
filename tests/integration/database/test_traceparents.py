"""A client chose the trace that its request belongs to: it is kept until that is finished."""

from database import named_sql
from database.logins import GATEWAY
from tests.integration.database.conftest import Connect
from tests.parts.requests import Requests

SQL = named_sql.load("gateway.store")
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_cancelled_request_leaves_its_trace_to_its_completion(
    requests: Requests, connect: Connect
) -> None:
    (id_,) = requests.accept_traced(TRACEPARENT)
    requests.execute("DELETE FROM outbox")
    connect(GATEWAY).execute(SQL["cancel"], {"id": id_})
    assert requests.get(id_)["state"] == "CANCELLED"
    assert requests.get(id_)["traceparent"] is None
    assert requests.query("SELECT traceparent FROM outbox") == [{"traceparent": TRACEPARENT}]


def test_erasing_takes_the_trace_of_what_was_finished_before(
    requests: Requests, connect: Connect
) -> None:
    (id_,) = requests.accept_traced(TRACEPARENT)
    requests.execute("UPDATE requests SET state = 'SUCCEEDED'")
    connect(GATEWAY).execute(SQL["erase"], {"id": id_})
    assert requests.get(id_)["erase_time"] is not None
    assert requests.get(id_)["traceparent"] is None
