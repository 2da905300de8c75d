"""What the API server and istiod take, and what they refuse."""

from typing import Any

import pytest

from tests.mesh.api_server import ApiServer, Refused, namespaces
from tests.mesh.istiod import Istiod
from tests.mesh.objects import of_this_checkout


def _service_entry(**more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "ServiceEntry",
        "metadata": {"name": "any", "namespace": "default"},
        "spec": {"hosts": ["any.example.com"], "resolution": "DNS", **more},
    }


def test_every_object_of_this_checkout_is_taken_as_it_stands(
    api: ApiServer, istiod: Istiod
) -> None:
    objects = of_this_checkout()
    api.apply(namespaces(one["metadata"]["namespace"] for one in objects))
    api.apply(objects, "--dry-run=server")


def test_an_object_with_an_unknown_field_is_refused(api: ApiServer, istiod: Istiod) -> None:
    ports = [{"number": 443, "name": "tls", "protocol": "TLS"}]
    api.apply([_service_entry(ports=ports)], "--dry-run=server")
    with pytest.raises(Refused, match=r"spec\.prots"):
        api.apply([_service_entry(prots=ports)], "--dry-run=server")


def test_an_object_that_istiod_makes_no_sense_of_is_refused(api: ApiServer, istiod: Istiod) -> None:
    ports = [{"number": 443, "name": "tls", "protocol": "NONSENSE"}]
    with pytest.raises(Refused, match=r"validation\.istio\.io.*NONSENSE"):
        api.apply([_service_entry(ports=ports)], "--dry-run=server")
