"""Where nothing is sent: what only this machine or its network can reach."""

import pytest

from webhooks.addresses import InvalidUrl, PrivateAddress, is_public, read_url, resolve

PRIVATE = (
    *("127.0.0.1", "127.1.2.3", "0.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1"),
    *("255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254"),
    *("ff02::1", "fec0::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::"),
    *("2001:0:4136:e378:8000:63bf:3fff:fdd2", "192.0.0.8", "192.88.99.1", "5f00::1", "3fff::1"),
    *("::127.0.0.1", "::8.8.8.8", "::ffff:0:127.0.0.1", "64:ff9b::c0a8:101", "2002:c0a8:101::"),
    *("64:ff9b:1::7f00:1", "64:ff9b:1::101:101", "2001:1::1", "100::1", "100:0:0:1::1", "e000::1"),
)
PUBLIC = (
    *("1.1.1.1", "93.184.216.34", "9.255.255.255", "11.0.0.0", "100.63.255.255", "223.255.255.255"),
    *("2606:4700:4700::1111", "2001:200::1", "2a00:1450::1", "::ffff:1.1.1.1", "64:ff9b::101:101"),
)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "127.1", "0"]
)
def test_loopback_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(PrivateAddress, match="PMESH_WEBHOOK_ALLOWED_HOSTS"):
        resolve(read_url(f"https://{host}:8443/"), ())


def test_a_host_may_be_allowed_by_name() -> None:
    target = read_url("http://LocalHost:8080/hook?a=b", ["localhost"])
    assert (target.host, target.port, target.path) == ("localhost", 8080, "/hook?a=b")
    assert resolve(target, ["localhost"]) in ("127.0.0.1", "::1")
    with pytest.raises(PrivateAddress):
        resolve(read_url("https://127.0.0.1/"), ["localhost"])


@pytest.mark.parametrize("host", ["LOCALHOST", "localhost."])
def test_a_name_is_the_same_in_capitals_and_with_a_dot(host: str) -> None:
    assert not read_url(f"http://{host}/", ["localhost"]).is_tls
    target = read_url("http://localhost/", [host])
    assert resolve(target, [host]) in ("127.0.0.1", "::1")
    with pytest.raises(InvalidUrl):
        read_url(f"http://{host}/", ["localhost.localdomain", ""])


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "example.com/hook",
        "https://",
        "https://user:secret@example.com/",
        "https://example.com/#part",
        "https://example.com:99999/",
        "https://example.com/a b",
        "https://example.com/\r\nX: y",
        "https://ex\u00e4mple.com/",
        "https://[::1/",
    ],
)
def test_a_url_that_is_none_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidUrl) as refused:
        read_url(url)
    assert "secret" not in str(refused.value)
