from typing import Any

import protovalidate
import pytest
from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp
from predict.v1 import model_service_pb2 as models
from predict.v1 import prediction_service_pb2 as pb

from contract.errors import InvalidArgument
from contract.reasons import metadata_keys, reason_name
from gateway import validation
from gateway.convert import duration_from_proto, list_filter_from_proto

UUID = "0192f3a4-5b6c-7d8e-9fa0-b1c2d3e4f506"


def refusal(message: Message) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as refused:
        validation.check(message)
    keys, more = metadata_keys(refused.value.reason)
    assert keys <= refused.value.metadata.keys() <= keys | more
    return refused.value


def check(message: Message, reason: str, field: str, **metadata: str) -> None:
    error = refusal(message)
    assert (reason_name(error.reason), error.metadata) == (reason, {"field": field, **metadata})


def predict(**fields: str) -> pb.PredictRequest:
    return pb.PredictRequest(**{"model": "sentiment", "text": "a text", **fields})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "TEXT_EMPTY"),
        (" \t\r\n\u2003", "TEXT_BLANK"),
        ("a\0b", "TEXT_HAS_NUL"),
        ("a" * 65_537, "TEXT_TOO_LONG"),
        ("é" * 32_769, "TEXT_TOO_LONG"),
    ],
)
def test_a_bad_text_is_refused_with_its_reason(text: str, reason: str) -> None:
    error = refusal(predict(text=text))
    assert (reason_name(error.reason), error.metadata["field"]) == (reason, "text")
    assert "\0" not in str(error)


def test_a_text_that_is_too_long_is_told_how_long_it_is() -> None:
    text = predict(text="é" * 32_769)
    check(text, "TEXT_TOO_LONG", "text", bytes="65538", max_bytes="65536")


@pytest.mark.parametrize("text", ["a", "a" * 65_536, "é" * 32_768, "😀" * 16_384])
def test_a_text_up_to_the_limit_passes(text: str) -> None:
    validation.check(predict(text=text))


def test_white_space_is_what_python_takes_for_it() -> None:
    def refused(text: str) -> bool:
        try:
            validation.check(predict(text=text))
        except InvalidArgument:
            return True
        return False

    characters = [chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000]
    assert [c for c in characters if refused(c)] == [c for c in characters if c.isspace()]


@pytest.mark.parametrize("id_", [UUID, UUID.upper(), "0" * 8 + "-0000" * 3 + "-" + "f" * 12])
def test_any_uuid_is_an_id(id_: str) -> None:
    validation.check(pb.GetPredictionRequest(id=id_))


@pytest.mark.parametrize(
    "bad", ["", "1", UUID[:-1], UUID.replace("-", ""), f"{{{UUID}}}", f"{UUID}\n", "x" * 36]
)
def test_what_is_no_id_is_refused(bad: str) -> None:
    check(pb.GetPredictionRequest(id=bad), "INVALID_ID", "id")


@pytest.mark.parametrize("model", ["a", "sentiment", "a-1", "a" * 63])
def test_an_id_that_a_model_can_have_passes(model: str) -> None:
    validation.check(models.GetModelRequest(model=model))


@pytest.mark.parametrize("model", ["Sentiment", "1a", "-a", "a/b", "a b", "a\0", "a\n", "a" * 64])
def test_an_id_that_no_model_can_have_is_refused(model: str) -> None:
    check(models.GetModelRequest(model=model), "INVALID_ID", "model")


def test_a_missing_id_of_a_model_is_told_as_such() -> None:
    check(predict(model=""), "REQUIRED_FIELD_MISSING", "model")


@pytest.mark.parametrize("version", ["0", "01", "-1", "1.0", "latest", "1 ", "\u0661"])
def test_what_is_no_version_is_refused(version: str) -> None:
    check(predict(version=version), "INVALID_ID", "version")


def test_a_batch_has_entries_and_not_too_many() -> None:
    for size in (0, 257):
        batch = pb.BatchPredictRequest(model="sentiment", entries=[pb.BatchPredictEntry()] * size)
        check(batch, "BATCH_SIZE", "entries", size=str(size), max_size="256")


def test_an_entry_of_a_batch_and_a_text_of_a_stream_are_judged_by_themselves() -> None:
    entry = pb.BatchPredictEntry()
    validation.check(pb.BatchPredictRequest(model="sentiment", entries=[entry]))
    check(entry, "TEXT_EMPTY", "text")
    validation.check(pb.StreamPredictRequest(request=pb.PredictRequest()))


def test_a_batch_may_be_no_longer_than_its_answers_can_be_received() -> None:
    validation.check_batch_text(validation.MAX_BATCH_TEXT_BYTES)
    with pytest.raises(InvalidArgument):
        validation.check_batch_text(validation.MAX_BATCH_TEXT_BYTES + 1)


def test_a_negative_page_size_is_refused() -> None:
    check(pb.ListPredictionsRequest(page_size=-1), "OUT_OF_RANGE", "page_size", min="0")


@pytest.mark.parametrize("seconds", [0, -1, 301, 2**62])
def test_a_wait_out_of_range_is_refused(seconds: int) -> None:
    wait = pb.WaitPredictionRequest(id=UUID, timeout=Duration(seconds=seconds))
    check(wait, "OUT_OF_RANGE", "timeout", min="above 0s", max="300s")


@pytest.mark.parametrize(
    "ttl", [Duration(), Duration(nanos=900_000_000), Duration(seconds=604_801)]
)
def test_a_ttl_out_of_range_is_refused(ttl: Duration) -> None:
    create = pb.CreatePredictionRequest(model="sentiment", text="a text", ttl=ttl)
    check(create, "OUT_OF_RANGE", "ttl", min="1s", max="604800s")


@pytest.mark.parametrize("seconds", [-62_135_596_801, 253_402_300_800, 2**62])
def test_a_time_outside_the_years_1_to_9999_is_refused(seconds: int) -> None:
    request = pb.ListPredictionsRequest(start_time=Timestamp(seconds=seconds))
    error = refusal(request)
    assert (reason_name(error.reason), error.metadata["field"]) == ("OUT_OF_RANGE", "start_time")


@pytest.mark.parametrize("nanos", [-1, 10**9, -(2**31), 2**31 - 1])
def test_nanos_that_are_no_part_of_a_second_are_refused(nanos: int) -> None:
    with pytest.raises(InvalidArgument):
        duration_from_proto(Duration(seconds=1, nanos=nanos), field="ttl")
    with pytest.raises(InvalidArgument):
        list_filter_from_proto(pb.ListPredictionsRequest(end_time=Timestamp(nanos=nanos)))


def test_a_number_that_the_enum_does_not_have_is_refused() -> None:
    state = pb.ListPredictionsRequest()
    state.MergeFromString(b"\x20\x63")  # field 4, 99
    check(state, "WRONG_TYPE", "state", expected="PredictionState")


def test_a_value_that_has_an_rpc_of_its_own_is_refused() -> None:
    release = models.CreateReleaseRequest(model="sentiment", action="RELEASE_ACTION_SET_TRAFFIC")
    check(release, "WRONG_TYPE", "action", expected="ReleaseAction")


def test_the_place_in_a_list_is_part_of_the_field() -> None:
    split = models.SetTrafficRequest(
        model="sentiment", traffic=[{"version": "1", "percent": 1}, {"percent": 1}]
    )
    check(split, "REQUIRED_FIELD_MISSING", "traffic[1].version")
    steps = models.CreateReleaseRequest(model="sentiment", steps=[1, float("nan")])
    check(steps, "OUT_OF_RANGE", "steps[1]", min="0.01", max="100")


@pytest.mark.parametrize("reason", ["a\nb", "a\0", "\u2028", "a\u00a0b", "\u202e", "x" * 1001])
def test_a_reason_that_would_spoil_a_history_is_refused(reason: str) -> None:
    error = refusal(models.SetTrafficRequest(model="sentiment", reason=reason))
    assert (reason_name(error.reason), error.metadata["field"]) == ("OUT_OF_RANGE", "reason")


def test_a_reason_in_any_script_passes() -> None:
    validation.check(models.SetTrafficRequest(model="sentiment", reason="Zoë, 日本 " + "é" * 990))


STRINGS = [
    (GetMessageClass(method.input_type), field.name)
    for file in (pb, models)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    for field in method.input_type.fields
    if field.cpp_type == field.CPPTYPE_STRING
    and field.name != "page_token"  # read by gateway.pages
]


@pytest.mark.parametrize(
    ("kind", "field"), STRINGS, ids=[f"{kind.__name__}.{field}" for kind, field in STRINGS]
)
def test_no_string_takes_what_postgresql_cannot_hold(kind: type[Message], field: str) -> None:
    violations = protovalidate.Validator().collect_violations(kind(**{field: "a\0b"}))
    assert field in {v.proto.field.elements[0].field_name for v in violations}  # type: ignore[union-attr]


def made(name: str, *rules: str, **options: Any) -> type[Message]:
    """A message with a number and a oneof of two strings, and rules of its own in CEL."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package="made", syntax="proto3")
    message = file.message_type.add(name=name)
    number = message.field.add(name="number", number=1, type="TYPE_INT64", label="LABEL_OPTIONAL")
    for index, field in enumerate(("one", "other"), start=2):
        message.field.add(name=field, number=index, type="TYPE_STRING", label="LABEL_OPTIONAL")
        message.field[-1].oneof_index = 0
    oneof = message.oneof_decl.add(name="either")
    for rule in rules:
        message.options.Extensions[validate_pb2.message].cel.add(
            id="OUT_OF_RANGE", message="is bad", expression=rule
        )
    oneof.options.Extensions[validate_pb2.oneof].required = "either" in options
    if "least" in options:
        number.options.Extensions[validate_pb2.field].int64.gte = options["least"]
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"made.{name}"))


@pytest.mark.parametrize(
    ("kind", "field", "reason"),
    [
        (made("Whole", "this.number > 0"), "", "OUT_OF_RANGE"),
        (made("Oneof", either=True), "either", "REQUIRED_FIELD_MISSING"),
        (made("Unnamed", least=1), "number", "OUT_OF_RANGE"),
    ],
    ids=["of the message", "of a oneof", "that no reason names"],
)
def test_every_rule_that_can_be_stated_refuses_with_a_reason(
    kind: type[Message], field: str, reason: str
) -> None:
    validation.learn(kind)
    with pytest.raises(InvalidArgument) as refused:
        validation.check(kind())
    assert refused.value.metadata["field"] == field
    assert reason_name(refused.value.reason) == reason
