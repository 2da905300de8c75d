"""Where Label Studio may call: the internet, and one address of this machine."""

import ipaddress
from pathlib import Path

import pytest

from pmesh.stack.home import Home
from pmesh.stack.label_studio import WEBHOOK_ADDRESS, LabelStudioPart


@pytest.mark.parametrize(
    ("address", "is_banned"),
    [
        *((WEBHOOK_ADDRESS, False), ("1.1.1.1", False), ("2606:4700:4700::1111", False)),
        *(("127.0.0.1", True), ("127.0.0.8", True), ("127.0.0.10", True), ("10.0.0.1", True)),
        *(("169.254.169.254", True), ("::1", True), ("fd00::1", True)),
        *((f"::ffff:{WEBHOOK_ADDRESS}", True), ("::ffff:127.0.0.1", True)),
    ],
)
def test_it_may_call_one_address_of_its_own_machine(
    tmp_path: Path, address: str, is_banned: bool
) -> None:
    own = LabelStudioPart(Home(tmp_path), port=1)
    own.turn_on(Path("python"))
    said = own.part(environment={}).environment["LABEL_STUDIO_USER_ADDITIONAL_BANNED_SUBNETS"]
    networks = [ipaddress.ip_network(network) for network in said.split(",")]
    assert any(ipaddress.ip_address(address) in network for network in networks) == is_banned
