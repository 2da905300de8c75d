"""Tokens that nobody should be taken for somebody by."""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable

import grpc
import pytest
from grpc_status import rpc_status
from joserfc.jwk import Key
from predict.v1.prediction_service_pb2 import PredictRequest
from predict.v1.prediction_service_pb2_grpc import PredictionServiceStub

from contract.status import error_info
from tests.integration.gateway.envoy.access.guarded import (
    PASSED,
    PREDICT,
    PROTOCOLS,
    REST,
    Headers,
    bearer,
    decision,
    predict,
    send,
)
from tests.integration.gateway.envoy.gateway_process import GatewayProcess
from tests.parts.issuer import Issuer, new_keys, serving

FOREIGN = new_keys()["ES256"]
"""Of an attacker."""
FAR = 10**10
Attack = Callable[[Issuer], Headers]


def good(issuer: Issuer) -> str:
    return issuer.token(roles=["app"])


def forged(header: dict[str, object] | None = None, **claims: object) -> Attack:
    """Signed by the attacker's key."""
    return lambda issuer: bearer(issuer.token(roles=["app"], key=FOREIGN, header=header, **claims))


def odd(header: dict[str, object] | None = None, **claims: object) -> Attack:
    """Signed by the issuer."""
    return lambda issuer: bearer(issuer.token(roles=["app"], header=header, **claims))


def unsigned(algorithm: str, signature: str = "") -> Attack:
    def attack(issuer: Issuer) -> Headers:
        _, payload, _ = good(issuer).split(".")
        header = json.dumps({"alg": algorithm, "typ": "JWT"}).encode()
        return bearer(f"{urlsafe_b64encode(header).decode().rstrip('=')}.{payload}.{signature}")

    return attack


def with_public_key(name: str, secret: Callable[[Key], bytes]) -> Attack:
    """Signed by HMAC with what everybody knows of a key."""

    def attack(issuer: Issuer) -> Headers:
        header = {"alg": "HS256", "kid": issuer.keys[name].kid}
        signed, _, _ = issuer.token(roles=["app"], header=header).rpartition(".")
        signature = hmac.digest(secret(issuer.keys[name]), signed.encode(), "sha256")
        return bearer(f"{signed}.{urlsafe_b64encode(signature).decode().rstrip('=')}")

    return attack


def pem(key: Key) -> bytes:
    return key.as_pem(private=False)


def modulus(key: Key) -> bytes:
    return urlsafe_b64decode(str(key.as_dict(private=False)["n"]) + "==")


def changed(part: int) -> Attack:
    """One bit of the payload or of the signature."""

    def attack(issuer: Issuer) -> Headers:
        parts = good(issuer).split(".")
        parts[part] = parts[part][:9] + ("A" if parts[part][9] != "A" else "B") + parts[part][10:]
        return bearer(".".join(parts))

    return attack


def sent(value: str) -> Attack:
    """As the header authorization; {} is a good token."""
    return lambda issuer: [("authorization", value.replace("{}", good(issuer)))]


AUDIENCES: dict[str, object] = {
    "another audience": "other",
    "other audiences": ["other", "predict-mesh.evil"],
    "no audience": None,
    "an empty audience": "",
    "nobody's audience": "nobody",
}
FORMS: dict[str, Callable[[str], Headers]] = {
    "alone": bearer,
    "behind another scheme": lambda token: [("authorization", f"Basic x Bearer {token}")],
    "with more behind it": lambda token: [("authorization", f"Bearer {token} x")],
    "after two spaces": lambda token: [("authorization", f"Bearer  {token}")],
    "in the second header": lambda token: [("authorization", "Basic YTpi"), *bearer(token)],
    "in both headers": lambda token: [*bearer(token), *bearer(token)],
    "in a header of ours": lambda token: [("x-pmesh-issuer-none", token)],
}


def misused(form: Callable[[str], Headers], audience: object) -> Attack:
    """A token for somebody else."""
    return lambda issuer: form(issuer.token(roles=["app"], aud=audience))


ATTACKS: dict[str, Attack] = {
    "none": lambda _: [],
    "empty": sent(""),
    "a scheme alone": sent("Bearer"),
    "an empty token": sent("Bearer "),
    "no scheme": sent("{}"),
    "another scheme": sent("Basic {}"),
    "a scheme in small letters": sent("bearer {}"),
    "a scheme in capitals": sent("BEARER {}"),
    "a tab": sent("Bearer\t{}"),
    "an encoded space": sent("Bearer%20{}"),
    "a scheme behind another": sent("Basic YTpi Bearer {}"),
    "garbage": sent("Bearer garbage"),
    "three parts of garbage": sent("Bearer a.b.c"),
    "not base64": sent("Bearer !!!.???.***"),
    "not UTF-8": lambda issuer: [("authorization", b"Bearer \xff" + good(issuer).encode())],
    "60 KB": sent("Bearer " + "a." * 30_000),
    "two tokens": sent("Bearer {}, Bearer {}"),
    "two tokens, one forged": lambda issuer: [
        ("authorization", f"Bearer {good(issuer)},{forged()(issuer)[0][1]!s}")
    ],
    "two headers": lambda issuer: [*bearer(good(issuer)), *bearer(good(issuer))],
    "two headers, one Basic": lambda issuer: [
        ("authorization", "Basic YTpi"),
        *bearer(good(issuer)),
    ],
    "a cookie": lambda issuer: [("cookie", f"access_token={good(issuer)}")],
    "another header": lambda issuer: [
        (name, f"Bearer {good(issuer)}")
        for name in ("proxy-authorization", "x-authorization", "x-forwarded-authorization")
    ],
    "a header that is for one hop": lambda issuer: [
        *bearer(good(issuer)),
        ("connection", "authorization"),
    ],
    "no algorithm": unsigned("none"),
    "no algorithm, in other letters": unsigned("nOnE"),
    "no algorithm, with a signature": unsigned("none", "YQ"),
    "HMAC, not signed": unsigned("HS256"),
    "ECDSA, not signed": unsigned("ES256"),
    "HMAC with the PEM": with_public_key("RS256", pem),
    "HMAC with the PEM of the curve": with_public_key(
        "ES256", lambda key: key.as_pem(private=False)
    ),
    "HMAC with the modulus": with_public_key("RS256", modulus),
    "HMAC with nothing": with_public_key("RS256", lambda _: b""),
    "another algorithm": odd({"alg": "RS256"}),
    "an algorithm of another curve": odd({"alg": "ES384"}),
    "an unknown algorithm": odd({"alg": "XS256"}),
    "critical": odd({"crit": ["exp"]}),
    "critical and unknown": odd({"crit": ["b64"], "b64": True}),
    "a foreign key": forged(),
    "a foreign key under a known name": forged({"kid": "es"}),
    "a foreign key without a name": forged({"kid": None}),
    "a key of its own": forged({"kid": "es", "jwk": FOREIGN.as_dict(private=False)}),
    "an unknown key": odd({"kid": "other"}),
    "the name of another key": odd({"kid": "rs"}),
    "a key's name that is a path": odd({"kid": "../../../../dev/null"}),
    "a key's name that is a query": odd({"kid": "' OR 1=1 --"}),
    "a key's name that is no text": odd({"kid": {"a": 1}}),
    "expired": odd(exp=1_000_000_000),
    "not yet valid": odd(nbf=FAR),
    "no expiry": odd(exp=None),
    "an expiry that is no number": odd(exp="tomorrow"),
    "another issuer": odd(iss="https://evil.example.com/"),
    "the issuer in other letters": odd(iss="https://LOGIN.example.com/"),
    "no issuer": odd(iss=None),
    **{
        f"{name}, {where}": misused(form, audience)
        for where, form in FORMS.items()
        for name, audience in AUDIENCES.items()
    },
    "a header of ours": lambda issuer: [("x-pmesh-issuer-none", good(issuer))],
    "two spaces": sent("Bearer  {}"),
    "more behind it": sent("Bearer {} x"),
    "no subject": odd(sub=None),
    "an empty subject": odd(sub=""),
    "a subject that is too long": odd(sub="x" * 257),
    "a subject with a space before it": odd(sub=" ann"),
    "a subject with a line": odd(sub="ann\n"),
    "a subject of other letters": odd(sub="\u00e4nnchen"),
    "a subject that is a number": odd(sub=7),
    "a subject that is a list": odd(sub=["ann"]),
    "a changed payload": changed(1),
    "a changed signature": changed(2),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_a_good_token_passes(
    gate: GatewayProcess, issuer: Issuer, protocol: str, algorithm: str
) -> None:
    token = issuer.token(algorithm=algorithm, roles=["other", "app"], aud=["x", "predict-mesh"])
    assert decision(predict(gate.port, protocol, bearer(token))) == PASSED


@pytest.mark.parametrize("name", ["a", "x" * 256, "Ann of the team <a@b.c>"])
def test_a_name_that_could_be_somebody_s_passes(
    gate: GatewayProcess, issuer: Issuer, name: str
) -> None:
    token = issuer.token(roles=["app"], sub=name)
    assert decision(predict(gate.port, "rest", bearer(token))) == PASSED


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_no_other_token_does(
    gate: GatewayProcess, issuer: Issuer, protocol: str, attack: Attack
) -> None:
    reply = predict(gate.port, protocol, attack(issuer))
    assert decision(reply) == "UNAUTHENTICATED"
    assert reply.headers["www-authenticate"] == "Bearer"
    assert reply.headers["x-request-id"]
    # Where the application refuses, gRPC-Web is answered as by gRPC.
    assert reply.status in {"grpc": [200], "grpc-web": [200, 401], "rest": [401]}[protocol]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_token_in_the_query_is_none(gate: GatewayProcess, issuer: Issuer, protocol: str) -> None:
    path = REST if protocol == "rest" else PREDICT
    reply = predict(gate.port, protocol, path=f"{path}?access_token={good(issuer)}")
    assert decision(reply) == "UNAUTHENTICATED"


@pytest.mark.parametrize("header", ["jku", "x5u"])
def test_a_token_does_not_say_where_its_key_is(
    gate: GatewayProcess, issuer: Issuer, header: str
) -> None:
    attacker = Issuer(keys={"ES256": FOREIGN})
    with serving(attacker) as url:
        token = issuer.token(roles=["app"], key=FOREIGN, header={"kid": "es", header: url})
        assert decision(predict(gate.port, "rest", bearer(token))) == "UNAUTHENTICATED"
    assert attacker.asked == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_token_of_a_megabyte_is_refused_by_its_size(gate: GatewayProcess, protocol: str) -> None:
    assert predict(gate.port, protocol, bearer("a" * 1_000_000)).status == 431


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("roles", [["annotator"], ["nothing"], ["unknown"], [], "app", None, {}])
def test_who_has_no_role_for_it_is_told_what_is_missing(
    gate: GatewayProcess, issuer: Issuer, protocol: str, roles: object
) -> None:
    reply = predict(gate.port, protocol, bearer(issuer.token(roles=roles)))
    assert decision(reply) == "PERMISSION_DENIED"
    assert reply.status == (403 if protocol == "rest" else 200)


BODIES = {
    "no JSON": b"{",
    "another field": b'{"x": 1}',
    "too much": b'{"text": "' + b"a" * (5 << 20) + b'"}',
    "many tags": b'{"tags": {' + b", ".join(b'"%d": ""' % n for n in range(100_000)) + b"}}",
}


@pytest.mark.parametrize("roles", [["annotator"], ["unknown", '"\\'], [], None, ["\u00e4\n"]])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_who_has_no_role_for_it_is_told_before_anything_is_read(
    gate: GatewayProcess, issuer: Issuer, body: bytes, roles: object
) -> None:
    token = bearer(issuer.token(roles=roles))
    for path in (REST, f"{REST}?x=1"):
        for kind in ("application/json", "text/plain"):
            reply = send(gate.port, "POST", path, [("content-type", kind), *token], body)
            assert (reply.status, decision(reply)) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize(
    "roles", [["app"], ["x", "app"], ['a"\\\n\u00e4', "app"], [7, "app"], ["app"] * 9]
)
def test_who_has_a_role_for_it_is_let_in(
    gate: GatewayProcess, issuer: Issuer, roles: object
) -> None:
    assert decision(predict(gate.port, "rest", bearer(issuer.token(roles=roles)))) == PASSED


def test_a_native_client_is_told_why(gate: GatewayProcess, issuer: Issuer) -> None:
    wrong_role = issuer.token(roles=["annotator"])
    with grpc.insecure_channel(f"127.0.0.1:{gate.port}") as channel:
        stub = PredictionServiceStub(channel)
        request = PredictRequest(model="sentiment", text="a")
        with pytest.raises(grpc.RpcError) as nobody:
            stub.Predict(request)
        with pytest.raises(grpc.RpcError) as other:
            stub.Predict(request, metadata=[("authorization", f"Bearer {wrong_role}")])
        metadata = [("authorization", f"Bearer {good(issuer)}")]
        assert stub.Predict(request, metadata=metadata).prediction.text == "a"
    status = rpc_status.from_call(nobody.value)  # type: ignore[arg-type]
    assert status is not None
    assert error_info(status).reason == "UNAUTHENTICATED"
    status = rpc_status.from_call(other.value)  # type: ignore[arg-type]
    assert status is not None
    assert status.message == "no role of the caller gives predict"
    assert dict(error_info(status).metadata) == {"permission": "predict"}


def test_a_web_page_is_told_too(gate: GatewayProcess) -> None:
    origin = ("origin", "https://app.example.com")
    asked = [
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization"),
    ]
    preflight = send(gate.port, "OPTIONS", PREDICT, [origin, *asked])
    assert preflight.status == 200
    assert "authorization" in preflight.headers["access-control-allow-headers"].split(", ")
    for protocol in ("rest", "grpc-web"):
        refused = predict(gate.port, protocol, [origin])
        assert decision(refused) == "UNAUTHENTICATED"
        assert refused.headers["access-control-allow-origin"] == "https://app.example.com"
    elsewhere = send(
        gate.port, "OPTIONS", PREDICT, [("origin", "https://evil.example.com"), *asked]
    )
    assert elsewhere.status == 401


def test_a_native_client_with_a_megabyte_harms_itself_alone(
    gate: GatewayProcess, issuer: Issuer
) -> None:
    request = PredictRequest(model="sentiment", text="a")
    with grpc.insecure_channel(f"127.0.0.1:{gate.port}") as channel:
        metadata = [("authorization", f"Bearer {'a' * 1_000_000}")]
        with pytest.raises(grpc.RpcError):
            PredictionServiceStub(channel).Predict(request, metadata=metadata)
    assert decision(predict(gate.port, "grpc", bearer(good(issuer)))) == PASSED


def test_what_is_not_there_is_not_found(gate: GatewayProcess, issuer: Issuer) -> None:
    metadata = [("authorization", f"Bearer {good(issuer)}")]
    with grpc.insecure_channel(f"127.0.0.1:{gate.port}") as channel:
        nothing = channel.unary_unary("/predict.v1.PredictionService/Nothing")
        with pytest.raises(grpc.RpcError) as error:
            nothing(b"", metadata=metadata)
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED  # type: ignore[attr-defined]
