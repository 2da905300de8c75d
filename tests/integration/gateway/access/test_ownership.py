"""What belongs to a caller: predictions in lists, request_ids, labels."""

from collections.abc import Sequence
from uuid import uuid4

import grpc
import pytest
from predict.v1 import feedback_service_pb2 as feedback
from predict.v1 import model_service_pb2 as models
from predict.v1 import prediction_service_pb2 as pb
from predict.v1.prediction_pb2 import Prediction

from tests.integration.gateway.access.serving import MODEL, OTHER_MODEL, Caller, Serving
from tests.parts.words_server import VERSION

READER = Caller("reader", ("reader",))
LABELLER = Caller("labeller", ("labeller",))


def somebody(*roles: str) -> Caller:
    """Who has asked for nothing yet."""
    return Caller(f"caller {uuid4()}", roles or ("app",))


def pages(gateway: Serving, caller: Caller, size: int, **where: str) -> list[list[Prediction]]:
    """All pages of a list."""
    token, found = "", []
    while True:
        request = pb.ListPredictionsRequest(page_size=size, page_token=token, **where)
        message = gateway.ask("ListPredictions", request, caller)
        found.append(list(message.predictions))
        if not (token := message.next_page_token):
            return found


def ids(predictions: Sequence[Prediction]) -> list[str]:
    return [prediction.id for prediction in predictions]


def test_a_list_of_ones_own_has_full_pages_and_nothing_of_others(gateway: Serving) -> None:
    ann, bob = somebody(), somebody()
    made = {caller: [] for caller in (ann, bob)}
    for _ in range(5):
        for caller, predictions in made.items():
            predictions.append(gateway.predict(caller).id)
    for caller, predictions in made.items():
        found = pages(gateway, caller, 2)
        assert [len(page) for page in found] == [2, 2, 1]
        newest_first = sorted(predictions, reverse=True)
        assert [id_ for page in found for id_ in ids(page)] == newest_first
        assert ids(pages(gateway, caller, 9, model=MODEL)[0]) == newest_first
        assert pages(gateway, caller, 9, model=OTHER_MODEL) == [[]]


def test_a_reader_has_his_own_and_everybodys_of_his_models_in_one_order(gateway: Serving) -> None:
    """Of the other model he has his own only."""
    ann, both = somebody("app", "everything-else"), somebody("reader", "app-of-the-other")
    made = [
        gateway.predict(caller, model=model).id
        for _ in range(3)
        for caller, model in ((ann, MODEL), (ann, OTHER_MODEL), (both, OTHER_MODEL))
    ]
    within_reach = [id_ for number, id_ in enumerate(made) if number % 3 != 1]
    found = [id_ for page in pages(gateway, both, 2)[:3] for id_ in ids(page)]
    assert found == sorted(within_reach, reverse=True)
    of_other = [id_ for page in pages(gateway, both, 2, model=OTHER_MODEL) for id_ in ids(page)]
    assert of_other == sorted(made[2::3], reverse=True)


def test_pages_of_two_portions_end_with_the_same_bytes_of_text(gateway: Serving) -> None:
    """As many long texts as go into one page, of both portions in turn."""
    both, ann = somebody("reader", "app-of-the-other"), somebody()
    long = "good" * 2**14  # 64 KiB, so that 32 of them are a page
    made = [
        gateway.predict(caller, long, model).id
        for _ in range(20)
        for caller, model in ((ann, MODEL), (both, OTHER_MODEL))
    ]
    found = pages(gateway, both, 100)[:2]
    assert [id_ for page in found for id_ in ids(page)][:40] == sorted(made, reverse=True)
    assert len(found[0]) == 32


def test_a_token_of_anothers_list_reveals_nothing(gateway: Serving) -> None:
    ann, bob = somebody(), somebody()
    first = gateway.predict(bob).id
    for _ in range(3):
        gateway.predict(ann)
    request = pb.ListPredictionsRequest(page_size=1)
    token = gateway.ask("ListPredictions", request, ann).next_page_token
    request.page_token = token
    assert ids(gateway.ask("ListPredictions", request, bob).predictions) == [first]


def test_what_everybody_may_read_is_read_with_one_key(gateway: Serving) -> None:
    ann = somebody()
    id_ = gateway.predict(ann).id
    everywhere = somebody("everywhere")
    assert (
        ids(gateway.ask("ListPredictions", pb.ListPredictionsRequest(), everywhere).predictions)[0]
        == id_
    )


async def test_readers_and_strangers_who_ask_together_get_each_his_own_answer(
    gateway: Serving,
) -> None:
    """Reads that come together are one statement."""
    ann, stranger = somebody(), somebody()
    id_ = gateway.predict(ann).id
    target = gateway.address
    async with grpc.aio.insecure_channel(target) as channel:
        get = channel.unary_unary(
            "/predict.v1.PredictionService/GetPrediction",
            request_serializer=pb.GetPredictionRequest.SerializeToString,
            response_deserializer=pb.GetPredictionResponse.FromString,
        )
        callers = [ann, stranger, READER, stranger] * 100
        calls = [get(pb.GetPredictionRequest(id=id_), metadata=who.metadata) for who in callers]
        codes = [await call.code() for call in calls]
    found = {
        who: {code for caller, code in zip(callers, codes, strict=True) if caller == who}
        for who in (ann, READER, stranger)
    }
    ok, not_found = {grpc.StatusCode.OK}, {grpc.StatusCode.NOT_FOUND}
    assert found == {ann: ok, READER: ok, stranger: not_found}


def by(door: str, gateway: Serving, caller: Caller, request_id: str) -> str:
    """The id of the prediction that a request_id stands for."""
    fields = {"model": MODEL, "text": "good", "request_id": request_id}
    match door:
        case "Predict":
            request = pb.PredictRequest(**fields)
        case "CreatePrediction":
            request = pb.CreatePredictionRequest(**fields)
        case "StreamPredict":
            request = pb.StreamPredictRequest(request=pb.PredictRequest(**fields))
        case "BatchPredict":
            entry = pb.BatchPredictEntry(text="good", request_id=request_id)
            request = pb.BatchPredictRequest(model=MODEL, entries=[entry])
    answer = gateway.ask(door, request, caller)
    return (answer.results[0] if door == "BatchPredict" else answer).prediction.id


@pytest.mark.parametrize("door", ["Predict", "CreatePrediction", "StreamPredict", "BatchPredict"])
def test_a_request_id_belongs_to_its_caller_by_each_door(gateway: Serving, door: str) -> None:
    ann, bob = somebody(), somebody()
    request_id = str(uuid4())
    anns = by(door, gateway, ann, request_id)
    bobs = by(door, gateway, bob, request_id)
    assert anns != bobs
    assert by(door, gateway, ann, request_id) == anns
    assert by(door, gateway, bob, request_id) == bobs


def test_what_is_recorded_has_its_caller_though_it_failed(gateway: Serving) -> None:
    ann = somebody()
    request = pb.PredictRequest(model=MODEL, text="poison")
    assert gateway.call("Predict", request, ann).reason == "MODEL_FAILED"
    (failed,) = pages(gateway, ann, 9)[0]
    assert failed.error.message
    label = gateway.label(ann, gateway.predict(ann).id)
    with gateway.database.connect() as connection:
        row = connection.execute("SELECT caller FROM labels WHERE id = %s", (label,)).fetchone()
    assert row == {"caller": ann.name}


def test_who_takes_back_anothers_prediction_does_not_read_its_text(gateway: Serving) -> None:
    ann, manager = somebody(), somebody("manager")
    request = pb.CancelPredictionRequest(id=gateway.create(ann, "good news of me").id)
    assert gateway.ask("CancelPrediction", request, manager).prediction.text == ""
    request = pb.CancelPredictionRequest(id=gateway.create(ann, "good news of me").id)
    assert gateway.ask("CancelPrediction", request, ann).prediction.text == "good news of me"


def test_who_erases_anothers_prediction_does_not_read_what_was_said_of_it(
    gateway: Serving,
) -> None:
    ann, manager = somebody(), somebody("manager")
    made = gateway.predict(ann)
    assert made.output.label
    request = pb.DeletePredictionRequest(id=made.id)
    erased = gateway.ask("DeletePrediction", request, manager).prediction
    assert erased.HasField("erase_time")
    told = {field.name for field, _ in erased.ListFields()}
    assert not told & {"text", "tags", "output", "error", "label", "features_uri"}
    request = pb.DeletePredictionRequest(id=gateway.predict(ann).id)
    assert gateway.ask("DeletePrediction", request, ann).prediction.output == made.output


def test_a_request_id_that_is_taken_is_told_as_its_caller_chose_it(gateway: Serving) -> None:
    """Whatever it is kept under."""
    operator, request_id = somebody("operator"), str(uuid4())
    for percent, reason in ((50, ""), (60, "REQUEST_ID_REUSED")):
        request = models.CreateReleaseRequest(
            model=MODEL,
            action="RELEASE_ACTION_RELEASE",
            version=VERSION,
            steps=[percent, 100],
            pause={"seconds": 3600},
            request_id=request_id,
        )
        outcome = gateway.call("CreateRelease", request, operator)
        assert outcome.reason == reason
    assert outcome.answer.info.metadata["request_id"] == request_id


def test_a_label_is_withdrawn_by_who_gave_it_or_who_labels_for_all(gateway: Serving) -> None:
    ann = somebody()
    id_ = gateway.predict(ann).id
    of_labeller = feedback.DeleteLabelRequest(id=gateway.label(LABELLER, id_))
    of_ann = feedback.DeleteLabelRequest(id=gateway.label(ann, id_))
    assert gateway.call("DeleteLabel", of_labeller, ann).reason == "LABEL_NOT_FOUND"
    assert gateway.call("DeleteLabel", of_ann, ann).reason == ""
    assert gateway.call("DeleteLabel", of_labeller, LABELLER).reason == ""


def test_labels_are_listed_of_the_models_that_a_role_names(gateway: Serving) -> None:
    ann, elsewhere = somebody(), somebody("everything-else")
    id_ = gateway.predict(ann).id
    label = gateway.label(ann, id_)
    for request in (
        feedback.ListLabelsRequest(),
        feedback.ListLabelsRequest(prediction_id=id_),
        feedback.ListLabelsRequest(model=MODEL),
    ):
        found = gateway.ask("ListLabels", request, READER).labels
        assert found[0].id == label
        assert not gateway.ask("ListLabels", request, elsewhere).labels


def test_of_a_stream_each_text_is_refused_alone(gateway: Serving) -> None:
    requests = [
        pb.StreamPredictRequest(request=pb.PredictRequest(model=model, text="good"))
        for model in (MODEL, OTHER_MODEL, "nosuch", MODEL)
    ]
    outcome = gateway.call("StreamPredict", requests, somebody())
    assert outcome.code is grpc.StatusCode.OK
    assert [bool(message.prediction.id) for message in outcome.messages] == [
        True,
        False,
        False,
        True,
    ]
    assert outcome.reason == "PERMISSION_DENIED"


def test_an_external_id_belongs_to_its_caller(gateway: Serving) -> None:
    """Nobody learns of another's, or takes it away from him."""
    for caller in (somebody(), somebody()):
        ids_of = [gateway.predict(caller).id for _ in range(2)]
        reasons = [
            gateway.call(
                "AttachLabel",
                feedback.AttachLabelRequest(prediction_id=id_, label="positive", external_id="7"),
                caller,
            ).reason
            for id_ in ids_of
        ]
        assert reasons == ["", "EXTERNAL_ID_REUSED"]


async def test_one_who_lists_without_end_keeps_out_nobody(gateway: Serving) -> None:
    """Lists wait for each other, each caller's among his own: beyond some he is refused."""
    eve, bob = somebody("everywhere"), somebody()
    gateway.predict(bob)
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        ask = channel.unary_unary(
            "/predict.v1.PredictionService/ListPredictions",
            request_serializer=pb.ListPredictionsRequest.SerializeToString,
            response_deserializer=pb.ListPredictionsResponse.FromString,
        )
        calls = [ask(pb.ListPredictionsRequest(), metadata=eve.metadata) for _ in range(300)]
        assert len((await ask(pb.ListPredictionsRequest(), metadata=bob.metadata)).predictions) == 1
        codes = {await call.code() for call in calls}
    assert codes == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
