"""Where a webhook may go: forms of URLs, and every range that is not the public internet (N3)."""

from ipaddress import ip_address

import pytest

from bursar.notices.webhooks.address import (
    MAX_URL,
    allowed_in_clear,
    check_url,
    forbidden,
    networks_of,
    parse_url,
)
from bursar.platform.errors import Invalid

LOCAL = networks_of(("127.0.0.0/8", "::1/128", "10.1.0.0/16"))


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://hooks.example", "https://hooks.example/"),
        ("HTTPS://Hooks.Example:443/a?b=c", "https://hooks.example/a?b=c"),
        ("https://hooks.example:8443?b", "https://hooks.example:8443/?b"),
        (
            "https://bücher.example/ä".replace("/ä", "/%C3%A4"),
            "https://xn--bcher-kva.example/%C3%A4",
        ),
        ("https://straße.example/", "https://xn--strae-oqa.example/"),
        ("https://8.8.8.8/x", "https://8.8.8.8/x"),
        ("https://[2606:4700:0:0::1]:8443/", "https://[2606:4700::1]:8443/"),
        ("https://my_app.example/", "https://my_app.example/"),
    ],
)
def test_a_sound_url_is_spelled_in_one_way(url: str, text: str) -> None:
    assert check_url(url, ()).text == text


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example",
        "//hooks.example/",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://:443/",
        "https://ann:pw@hooks.example/",
        "https://@hooks.example/",
        "https://hooks.example/#there",
        "https://hooks.example#there",
        "https://hooks.example:0/",
        "https://hooks.example:65536/",
        "https://hooks.example:/",
        "https://hooks.example:-1/",
        "https://hooks.example:٤٤٣/",
        "https://hooks.example:80:80/",
        "https://hooks.example./",
        "https://hooks..example/",
        "https://.example/",
        "https://-a.example/",
        "https://a-.example/",
        f"https://{'a' * 64}.example/",
        f"https://{'a.' * 130}example/",
        f"https://hooks.example/{'a' * MAX_URL}",
        "https://hooks.example/a b",
        "https://hooks.example/a\nb",
        "https://hooks.example\n/",
        "https://hooks.example/\r\nhost: other",
        "https://hooks.example/ä",
        "https://hooks.example/\x7f",
        "https://hooks.example\\@other.example/",
        "https://hooks.example/\\other",
        "https://hooks%2eexample/",
        "https://℀.example/",
        "https://[::1/",
        "https://[hooks.example]/",
        "https://[fe80::1%25eth0]/",
        "https://[fe80::1%eth0]/",
        "https://[2606:4700::1]x/",
        "https://2606:4700::1/",
        # what some readers take for 127.0.0.1
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://127.0.0.0x1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://127.0.0.01/",
        "https://0x/",
        "https://１２７.0.0.1/",
        "https://127。0。0。1/",
        "https://①②⑦.0.0.1/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[::127.0.0.1]/",
        "https://[64:ff9b::127.0.0.1]/",
        "https://[2002:7f00:1::]/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::]/",
        "https://0.0.0.0/",
        "https://169.254.169.254/latest/meta-data/",
        "https://localhost/",
        "https://LOCALHOST:8080/",
        "https://app.localhost/",
        "https://localhost.localdomain/",
        "https://ip6-localhost/",
        "http://hooks.example/",
        "http://8.8.8.8/",
    ],
)
def test_a_url_that_is_malformed_or_leads_astray_is_refused(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_url(url, ())
    assert caught.value.code == "webhook_url"


@pytest.mark.parametrize("url", [None, 7, b"https://hooks.example/"])
def test_what_is_no_text_is_no_url(url: object) -> None:
    with pytest.raises(Invalid):
        parse_url(url)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/",
        "http://[::1]:8080/",
        "http://[::ffff:127.0.0.1]/",
        "http://10.1.2.3/",
        "https://10.1.2.3/",
        "http://localhost:8080/",
        "http://app:8080/",  # where it leads is judged when it is resolved
    ],
)
def test_an_allowed_network_may_be_reached_also_without_tls(url: str) -> None:
    assert check_url(url, LOCAL)


@pytest.mark.parametrize("url", ["http://8.8.8.8/", "http://10.2.0.1/", "https://10.2.0.1/"])
def test_what_one_network_allows_says_nothing_of_another(url: str) -> None:
    with pytest.raises(Invalid):
        check_url(url, LOCAL)


def test_localhost_is_no_name_for_networks_that_are_elsewhere() -> None:
    with pytest.raises(Invalid):
        check_url("https://localhost/", networks_of(("10.0.0.0/8", "fd00::/8")))


def test_what_is_told_of_a_url_is_without_its_query() -> None:
    assert parse_url("https://hooks.example/a?token=x").told == "https://hooks.example/a"


NOWHERE = [
    "0.0.0.0",  # noqa: S104
    "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255",
    "127.0.0.1", "127.255.255.255", "168.63.129.16", "169.254.0.1", "169.254.169.254",
    "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1",
    "192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::2", "::10.0.0.1", "::ffff:0:10.0.0.1", "fc00::1", "fd00:ec2::254", "fe80::1",
    "fe80::1%eth0", "febf::1", "fec0::1", "ff02::1", "2001::1", "2001:2::1", "2001:10::1",
    "2001:20::1", "2001:db8::1", "3fff::1", "100::1", "5f00::1", "64:ff9b:1::1", "4000::1",
    # IPv4 in disguise
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:192.168.1.1",
    "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::1",
    "2002:a00:1::1", "2002:c0a8:101::", "2002:a9fe:a9fe::1",
]  # fmt: skip

ANYWHERE = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
    "126.255.255.255", "128.0.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "198.17.255.255",
    "198.20.0.0", "223.255.255.255", "2606:4700::1", "2001:200::1", "2a00:1450::1",
    "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1",
]  # fmt: skip


@pytest.mark.parametrize("text", NOWHERE)
def test_what_is_not_of_the_public_internet_is_forbidden_with_a_reason(text: str) -> None:
    assert forbidden(ip_address(text), ())


@pytest.mark.parametrize("text", ANYWHERE)
def test_what_is_of_the_public_internet_is_not(text: str) -> None:
    assert forbidden(ip_address(text), ()) is None
    assert not allowed_in_clear(ip_address(text), LOCAL)


@pytest.mark.parametrize("text", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "127.9.9.9"])
def test_an_allowed_network_lifts_what_is_forbidden_in_whichever_form(text: str) -> None:
    assert forbidden(ip_address(text), LOCAL) is None


@pytest.mark.parametrize("text", ["10.0.0.1", "::ffff:10.2.0.1", "192.168.0.1", "fd00::1"])
def test_and_nothing_else(text: str) -> None:
    assert forbidden(ip_address(text), LOCAL)


@pytest.mark.parametrize("text", ["", "10.0.0.1/8", "ten", "10.0.0.0/33", "app.example"])
def test_a_network_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        networks_of((text,))
    assert caught.value.code == "setting_invalid"
