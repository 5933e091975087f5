"""Where the gateway may be sent by others."""

from __future__ import annotations

import contextlib
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.domain.addresses import Allowed, UrlRefused, check_url, is_open

NOWHERE = Allowed()
PRIVATE_4 = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
PRIVATE_6 = ("::/128", "::1/128", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "2001:db8::/32", "2001::/32")


private_4 = st.one_of(*(st.ip_addresses(network=IPv4Network(one)) for one in PRIVATE_4))
private_6 = st.one_of(*(st.ip_addresses(network=IPv6Network(one)) for one in PRIVATE_6))
embeddings = st.sampled_from(
    [
        lambda inner: IPv6Address(int(inner)),  # compatible
        lambda inner: IPv6Address((0xFFFF << 32) | int(inner)),  # mapped
        lambda inner: IPv6Address((0xFFFF << 48) | int(inner)),  # translated
        lambda inner: IPv6Address((0x2002 << 112) | (int(inner) << 80)),  # 6to4
        lambda inner: IPv6Address((0x64FF9B << 96) | int(inner)),  # NAT64
        lambda inner: IPv6Address((0x64FF9B0001 << 80) | int(inner)),  # NAT64 of a network's own
        lambda inner: IPv6Address((0x20010000 << 96) | (int(inner) ^ 0xFFFFFFFF)),  # Teredo
    ]
)


@given(st.one_of(private_4, private_6))
def test_what_is_private_is_closed(address: IPv4Address | IPv6Address) -> None:
    assert not is_open(address)


@given(private_4, embeddings)
def test_what_is_private_is_closed_inside_of_other_addresses(inner: IPv4Address, embed: object) -> None:
    assert callable(embed)
    assert not is_open(embed(inner))


@given(st.ip_addresses())
def test_nothing_is_open_that_the_library_knows_to_be_closed(address: IPv4Address | IPv6Address) -> None:
    if is_open(address):
        assert address.is_global or address in IPv6Network("64:ff9b::/96")
        for kind in ("private", "loopback", "link_local", "multicast", "unspecified", "reserved"):
            assert not getattr(address, f"is_{kind}") or address in IPv6Network("64:ff9b::/96")


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "64:ff9b::8.8.8.8"]
)
def test_the_internet_is_open(address: str) -> None:
    assert is_open(ip_address(address))


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "168.63.129.16", "100.100.100.200"])
def test_metadata_of_clouds_is_closed(address: str) -> None:
    assert not is_open(ip_address(address))


@given(st.one_of(private_4, private_6), st.integers(1024, 65535))
def test_no_url_names_a_private_address(address: IPv4Address | IPv6Address, port: int) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)
    with pytest.raises(UrlRefused):
        check_url(f"https://{host}:{port}/hook", NOWHERE)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "ftp://example.com/hook",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https:///hook",
        "https://user:password@example.com/hook",
        "https://user@example.com/hook",
        "https://example.com/hook#part",
        "https://example.com:22/hook",
        "https://example.com:25/hook",
        "https://example.com:99999/hook",
        "https://example.com:port/hook",
        "https://exa mple.com/hook",
        "https://example.com\\@127.0.0.1/hook",
        "https://exämple.com/hook",
        "https://example.com/\r\nHost: x",
        "https://[::1/hook",
        "https://[::ffff:127.0.0.1]/hook",
        "https://[fe80::1%25eth0]/hook",
        "https://127.0.0.1/hook",
        "https://2130706433/hook",
        "https://0x7f.1/hook",
        "https://127.1/hook",
        "https://0177.0.0.1./hook",
        "hook",
        "",
        "https://example.com/" + "x" * 2000,
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(UrlRefused):
        check_url(url, NOWHERE)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook",
        "https://example.com:8443/?a=b%20c",
        "https://1.1.1.1/",
        "https://xn--exmple-cua.com/",
    ],
)
def test_urls_that_are_called(url: str) -> None:
    check_url(url, NOWHERE)


@given(st.text(max_size=60))
def test_any_text_is_refused_or_called(text: str) -> None:
    with contextlib.suppress(UrlRefused):
        check_url("https://" + text, NOWHERE)


def test_what_the_installation_allows_is_called() -> None:
    allowed = Allowed.of(["hooks.internal", " 10.1.0.0/16", "LOCALHOST", "::1", ""])
    for url in (
        "http://hooks.internal/x",
        "http://hooks.internal.:25/x",
        "http://10.1.2.3:80/",
        "https://localhost/",
        "http://[::1]:9/",
    ):
        check_url(url, allowed)
    for url in ("http://10.2.0.1/", "http://other.internal/", "http://127.0.0.1/", "http://example.com/"):
        with pytest.raises(UrlRefused):
            check_url(url, allowed)
    assert allowed.lets(ip_address("10.1.2.3"))
    assert not allowed.lets(ip_address("10.2.0.1"))


def test_a_network_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match=r"'10\.0\.0\.0/40' is no network"):
        Allowed.of(["10.0.0.0/40"])
