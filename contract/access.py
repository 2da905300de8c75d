"""Who may do what: what each rpc asks for, and what a role gives.

An access policy says who makes the tokens and what their roles may do with which models. It is a
JSON file, which `pmesh render` makes from mesh.yaml and the models' values.yaml:

    {"tokens": {"issuer": "https://login.example.com/", "audience": "predict-mesh",
                "jwks": "https://login.example.com/jwks.json", "roles_claim": "roles"},
     "roles": {"app": {"predict": ["sentiment"]}, "operator": {"release": ["*"]}},
     "limits": {"caller": 500, "model": 5000, "models": {"sentiment": 2000}}}
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

ALL_MODELS = "*"


class Permission(StrEnum):
    """What a role may give, for some models or for all."""

    PREDICT = "predict"
    """Make predictions, and read, wait for, cancel, erase and label one's own."""
    READ = "read"
    """Read everybody's predictions and labels."""
    LABEL = "label"
    """Label everybody's predictions, and read what labels say of them."""
    MANAGE = "manage"
    """Cancel and erase everybody's predictions, without reading their texts."""
    OBSERVE = "observe"
    """Read models, releases and figures."""
    RELEASE = "release"
    """Move traffic between versions."""


_MADE = frozenset({Permission.PREDICT})
_READ = frozenset({Permission.PREDICT, Permission.READ})
_MANAGED = frozenset({Permission.PREDICT, Permission.MANAGE})
_LABELLED = frozenset({Permission.PREDICT, Permission.LABEL})
_SEEN = frozenset({Permission.OBSERVE, Permission.RELEASE})
_MOVED = frozenset({Permission.RELEASE})

PERMISSIONS: Mapping[str, frozenset[Permission]] = {
    "/predict.v1.PredictionService/Predict": _MADE,
    "/predict.v1.PredictionService/BatchPredict": _MADE,
    "/predict.v1.PredictionService/StreamPredict": _MADE,
    "/predict.v1.PredictionService/CreatePrediction": _MADE,
    "/predict.v1.PredictionService/GetPrediction": _READ,
    "/predict.v1.PredictionService/ListPredictions": _READ,
    "/predict.v1.PredictionService/WaitPrediction": _READ,
    "/predict.v1.PredictionService/WatchPrediction": _READ,
    "/predict.v1.PredictionService/CancelPrediction": _MANAGED,
    "/predict.v1.PredictionService/DeletePrediction": _MANAGED,
    "/predict.v1.FeedbackService/AttachLabel": _LABELLED,
    "/predict.v1.FeedbackService/BatchAttachLabels": _LABELLED,
    "/predict.v1.FeedbackService/DeleteLabel": _LABELLED,
    "/predict.v1.FeedbackService/ListLabels": frozenset({Permission.READ, Permission.LABEL}),
    "/predict.v1.FeedbackService/ListUnlabeled": frozenset({Permission.LABEL}),
    "/predict.v1.ModelService/ListModels": frozenset(Permission),
    "/predict.v1.ModelService/GetModel": frozenset(Permission),
    "/predict.v1.ModelService/ListReleases": _SEEN,
    "/predict.v1.ModelService/GetRelease": _SEEN,
    "/predict.v1.ModelService/SetTraffic": _MOVED,
    "/predict.v1.ModelService/CreateRelease": _MOVED,
    "/predict.v1.ModelService/PauseRelease": _MOVED,
    "/predict.v1.ModelService/ResumeRelease": _MOVED,
    "/predict.v1.ModelService/CancelRelease": _MOVED,
    "/predict.v1.MonitoringService/ListQualityMetrics": frozenset({Permission.OBSERVE}),
    "/predict.v1.MonitoringService/ListReferences": frozenset({Permission.OBSERVE}),
    "/predict.v1.MonitoringService/GetReference": frozenset({Permission.OBSERVE}),
    "/grpc.health.v1.Health/Watch": frozenset(Permission),
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": frozenset(Permission),
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": frozenset(Permission),
}
"""What an rpc asks for, by its path: any one of these. With PREDICT alone, an rpc about predictions
that are there reaches the caller's own, and others are as if they were not there."""

OPEN = frozenset({"/grpc.health.v1.Health/Check"})
"""What needs no token. With one, it may say more."""


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Who makes the tokens."""

    issuer: str
    """Their `iss`."""
    audience: str
    """One of their `aud`."""
    jwks: str
    """The issuer's public keys, a JSON Web Key Set: an https or http URL, or the path of a file."""
    roles_claim: str = "roles"
    """The claim with the caller's roles, a list of their names."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Texts per second, at one gateway; a burst of as many is let through. 0: no limit."""

    caller: int = 0
    """Of each caller, for all models."""
    model: int = 0
    """Of each model, of all callers."""
    models: Mapping[str, int] = field(default_factory=dict)
    """Model -> its own, instead."""


@dataclass(frozen=True, kw_only=True)
class AccessPolicy:
    """All of it."""

    tokens: Tokens
    roles: Mapping[str, Mapping[Permission, frozenset[str]]]
    """Role -> permission -> models, perhaps ALL_MODELS."""
    limits: Limits = Limits()

    def as_json(self) -> dict[str, Any]:
        """As read_policy reads it."""
        return {
            "tokens": vars(self.tokens),
            "roles": {
                role: {str(permission): sorted(models) for permission, models in grants.items()}
                for role, grants in self.roles.items()
            },
            "limits": {**vars(self.limits), "models": dict(self.limits.models)},
        }


def read_policy(file: Path) -> AccessPolicy:
    """Read an access policy. Raises OSError; ValueError, which names what is wrong."""
    try:
        said = json.loads(file.read_text(encoding="utf-8"), object_pairs_hook=_once)
        if unknown := sorted(said.keys() - {"tokens", "roles", "limits"}):
            raise ValueError(f"it has no {', '.join(unknown)}")
        return policy(said["tokens"], said["roles"], said.get("limits", {}))
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"{file} is no access policy: {error!r}") from error


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Refuses a key that is there twice, of which only the last would count."""
    said = dict(pairs)
    if len(said) < len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"{', '.join(twice)} is there twice")
    return said


def policy(
    tokens: Mapping[str, Any],
    roles: Mapping[str, Mapping[str, Any]],
    limits: Mapping[str, Any],
) -> AccessPolicy:
    """Make one of plain data. Raises ValueError, TypeError."""
    return AccessPolicy(
        tokens=Tokens(**{key: _text(key, said) for key, said in tokens.items()}),
        roles={
            role: {
                Permission(name): _models(f"{role}.{name}", models)
                for name, models in grants.items()
            }
            for role, grants in roles.items()
        },
        limits=_limits(**limits),
    )


def _limits(**said: Any) -> Limits:
    models = said.pop("models", {})
    return Limits(
        **{key: _number(key, number) for key, number in said.items()},
        models={model: _number(f"models.{model}", number) for model, number in models.items()},
    )


def _text(name: str, said: Any) -> str:
    if not isinstance(said, str) or not said:
        raise ValueError(f"{name} is a text, not {said!r}")
    return said


def _models(name: str, said: Any) -> frozenset[str]:
    """Not of a single text: its letters would be models, and a star among them all of these."""
    if not isinstance(said, Sequence) or isinstance(said, str):
        raise ValueError(f"{name} is a list of models, not {said!r}")
    return frozenset(_text(f"a model of {name}", model) for model in said)


def _number(name: str, said: Any) -> int:
    if not isinstance(said, int) or isinstance(said, bool) or said < 0:
        raise ValueError(f"{name} is a whole number of texts per second, not {said!r}")
    return said
