"""Texts and answers as tensors."""

import struct
from typing import Any

import numpy as np
import pytest
from tritonclient.grpc.service_pb2 import ModelInferResponse

from inference.tensors import BadTensor, infer_request, read_outputs


def response(
    *outputs: tuple[str, str, list[int], Any], raw: list[bytes] | None = None
) -> ModelInferResponse:
    """outputs: name, data type, shape, typed contents (None: none)."""
    answer = ModelInferResponse(raw_output_contents=raw or [])
    for name, datatype, shape, contents in outputs:
        output = answer.outputs.add(name=name, datatype=datatype, shape=shape)
        if contents is not None:
            getattr(output.contents, f"{datatype.lower()}_contents").extend(contents)
    return answer


def test_texts_go_as_raw_bytes_each_after_its_length_in_bytes() -> None:
    request = infer_request("words", "3", ["né", ""], ["scores"])
    assert request.raw_input_contents == [b"\x03\0\0\0n\xc3\xa9\0\0\0\0"]
    (text,) = request.inputs
    assert (text.name, text.datatype, list(text.shape)) == ("text", "BYTES", [2, 1])
    assert (request.model_name, request.model_version) == ("words", "3")
    assert [output.name for output in request.outputs] == ["scores"]


@pytest.mark.parametrize(("datatype", "letter"), [("FP32", "f"), ("FP64", "d")])
def test_raw_and_typed_answers_are_read_alike(datatype: str, letter: str) -> None:
    numbers = [0.25, 0.75, 1.0, 0.0]
    raw = response(("scores", datatype, [2, 2], None), raw=[struct.pack(f"<4{letter}", *numbers)])
    typed = response(("scores", datatype, [2, 2], numbers))
    for answer in (raw, typed):
        assert read_outputs(answer)["scores"].tolist() == [[0.25, 0.75], [1.0, 0.0]]


def test_flags_are_read_raw_and_typed() -> None:
    raw = response(("error", "BOOL", [2, 1], None), raw=[b"\0\1"])
    typed = response(("error", "BOOL", [2, 1], [False, True]))
    for answer in (raw, typed):
        assert read_outputs(answer)["error"].tolist() == [[False], [True]]


def test_outputs_of_other_types_are_passed_over_and_keep_their_place() -> None:
    raw = [struct.pack("<q", 7), struct.pack("<f", 1.0)]
    answer = response(("words", "INT64", [1], None), ("scores", "FP32", [1, 1], None), raw=raw)
    outputs = read_outputs(answer)
    assert list(outputs) == ["scores"]
    assert outputs["scores"].tolist() == [[1.0]]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(response(("s", "FP32", [2, 2], None), raw=[b"\0" * 12]), id="too few"),
        pytest.param(response(("s", "FP32", [1, 1], None), raw=[b"\0" * 8]), id="too many"),
        pytest.param(response(("s", "FP32", [1, 1], None), raw=[b"\0" * 3]), id="half a number"),
        pytest.param(response(("s", "FP32", [2, 1], [0.5])), id="too few typed"),
        pytest.param(response(("s", "FP32", [1, 1], None)), id="no contents at all"),
        pytest.param(response(("s", "FP32", [-2, -2], [1.0] * 4)), id="a shape below zero"),
        pytest.param(response(("s", "FP32", [1], None), raw=[b"\0" * 4] * 2), id="more raw"),
        pytest.param(
            response(("s", "FP32", [1], None), ("t", "FP32", [1], None), raw=[b"\0" * 4]),
            id="fewer raw",
        ),
    ],
)
def test_an_answer_that_is_not_of_its_shape_is_refused(answer: ModelInferResponse) -> None:
    with pytest.raises(BadTensor):
        read_outputs(answer)


def test_read_numbers_are_of_the_type_that_they_came_as() -> None:
    answer = response(("scores", "FP64", [1, 1], [0.1]))
    assert read_outputs(answer)["scores"].dtype == np.float64
