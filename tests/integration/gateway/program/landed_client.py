"""A client of the contract as it was landed: run with the code made of it on PYTHONPATH.

    python landed_client.py ADDRESS

Prints what it was answered, as JSON. It has none of this project on its path.
"""

import json
import sys

import grpc
from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from predict.v1 import (
    model_service_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2,
    prediction_service_pb2_grpc,
)


def main(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        predictions = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        models = model_service_pb2_grpc.ModelServiceStub(channel)
        one = prediction_service_pb2.PredictRequest(model="sentiment", text="a text of before")
        batch = prediction_service_pb2.BatchPredictRequest(
            model="sentiment", entries=[{"text": "one"}, {"text": ""}]
        )
        later = prediction_service_pb2.CreatePredictionRequest(model="sentiment", text="for later")
        split = model_service_pb2.SetTrafficRequest(
            model="sentiment",
            traffic=[{"version": "12", "percent": 30}, {"version": "13", "percent": 70}],
        )
        history = model_service_pb2.ListReleasesRequest(model="sentiment")
        answers = {
            "Predict": predictions.Predict(one),
            "BatchPredict": predictions.BatchPredict(batch),
            "CreatePrediction": predictions.CreatePrediction(later),
            "ListPredictions": predictions.ListPredictions(
                prediction_service_pb2.ListPredictionsRequest(page_size=2)
            ),
            "SetTraffic": models.SetTraffic(split),
            "GetModel": models.GetModel(model_service_pb2.GetModelRequest(model="sentiment")),
            "ListReleases": models.ListReleases(history),
        }
        said = {
            rpc: MessageToDict(answer, preserving_proto_field_name=True)
            for rpc, answer in answers.items()
        }
        split.traffic[0].percent = 31
        try:
            models.SetTraffic(split)
        except grpc.RpcError as error:
            said["refusal"] = reason(error)
    print(json.dumps(said))


def reason(error: grpc.RpcError) -> str:
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    status.details[0].Unpack(info)
    return str(info.reason)


if __name__ == "__main__":
    main(sys.argv[1])
