"""Where a webhook may go: the form of its URL, and the addresses that it may reach. Pure.

Whoever may add an endpoint makes this server send requests. They must not reach what only the
server can: its own ports, its private network, the metadata service of its cloud. A name says
nothing about that, so the address is judged when it is connected to (`guarded`); what an URL says
by itself is judged here, when it is added.

Only global unicast is allowed, and the networks that the operator allows. Without TLS only those:
what crosses the internet is encrypted (N3).
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final, NoReturn
from urllib.parse import parse_qsl, unquote

import idna
import msgspec

from bursar.platform.errors import Invalid

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_URL: Final = 2_000

_URL: Final = re.compile(r"(?P<scheme>[a-z]+)://(?P<place>[^/?]*)(?P<target>.*)", re.IGNORECASE)
_IN_BRACKETS: Final = re.compile(r"\[(?P<host>[0-9a-f:.]+)\](?::(?P<port>[0-9]*))?", re.IGNORECASE)
_NAMED: Final = re.compile(r"(?P<host>[^:]+)(?::(?P<port>[0-9]*))?")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOCAL: Final = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")
_LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_PORTS: Final = {"http": 80, "https": 443}
_NOT_ALLOWED: Final = "in no network of BURSAR_WEBHOOK_NETWORKS"

_NOT_GLOBAL: Final = tuple(
    (ip_network(network), why)
    for network, why in (
        ("0.0.0.0/8", "this host"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by a carrier"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "the host of a cloud"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "of protocols"),
        ("192.0.2.0/24", "of documentation"),
        ("192.88.99.0/24", "of relays"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "of benchmarks"),
        ("198.51.100.0/24", "of documentation"),
        ("203.0.113.0/24", "of documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "this host"),
        ("::1/128", "loopback"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
        ("2001::/23", "of protocols"),
        ("2001:db8::/32", "of documentation"),
        ("3fff::/20", "of documentation"),
    )
)
_GLOBAL_6: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR: Final = IPv6Network("2002::/16")


class WebAddress(msgspec.Struct, frozen=True):
    """An URL in its parts, all ASCII; ``host`` is a name or an address without brackets."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def place(self) -> str:
        """The host as a Host header has it: in brackets if need be, the port if it is not usual."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def text(self) -> str:
        """The URL, spelled as everybody reads it."""
        return f"{self.scheme}://{self.place}{self.target}"

    @property
    def told(self) -> str:
        """The URL for logs, alerts and the audit trail: a query may have a secret in it."""
        return f"{self.scheme}://{self.place}{self.target.partition('?')[0]}"

    @property
    def private(self) -> tuple[str, ...]:
        """What `told` leaves out, whole and in its parts, as the other side may repeat it."""
        query = self.target.partition("?")[2]
        parts = parse_qsl(query, keep_blank_values=True)
        return (query, unquote(query), *(value for _, value in parts)) if query else ()


def networks_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read the networks that are allowed; raises `Invalid` ``setting_invalid``."""
    try:
        return tuple(ip_network(text.strip()) for text in texts)
    except ValueError as error:
        raise Invalid(
            "setting_invalid",
            f"BURSAR_WEBHOOK_NETWORKS has networks as 10.0.0.0/8: {error}",
            setting="BURSAR_WEBHOOK_NETWORKS",
        ) from None


def parse_url(url: str) -> WebAddress:
    """Take an URL apart, strictly: what two readers could read as two places is refused.

    Raises `Invalid` ``webhook_url``.
    """
    if not isinstance(url, str) or not 0 < len(url) <= MAX_URL:
        _refuse(f"is 1 to {MAX_URL} characters long")
    found = _URL.fullmatch(url)
    if found is None or found["scheme"].lower() not in _PORTS:
        _refuse("begins with https:// and a host (or http://, in a network that is allowed)")
    scheme, place, target = found["scheme"].lower(), found["place"], found["target"]
    if "@" in place:
        _refuse("has no user and password in it")
    if "#" in url:
        _refuse("has no fragment (#)")
    if not target.isascii() or not target.isprintable() or re.search(r'[\s\\<>"^`{|}]', target):
        _refuse("has no blanks, backslashes and letters outside of ASCII; they are written %20")
    parts = _IN_BRACKETS.fullmatch(place) or _NAMED.fullmatch(place)
    if parts is None:
        _refuse("has a host that is a name or an address, and perhaps a port")
    port = _port(scheme, parts["port"])
    host = _address_6(parts["host"]) if place.startswith("[") else _host(parts["host"])
    if not target.startswith("/"):
        target = f"/{target}"
    parsed = WebAddress(scheme, host, port, target)
    if len(parsed.text) > MAX_URL:
        _refuse(f"is 1 to {MAX_URL} characters long")
    return parsed


def check_url(url: str, networks: Sequence[Network]) -> WebAddress:
    """Take an URL apart, and refuse what it says by itself that it must not reach.

    Where a name leads is only known when it is resolved. Raises `Invalid` ``webhook_url``.
    """
    where = parse_url(url)
    address = literal(where.host)
    if address is not None:
        why = forbidden(address, networks)
        if why is not None:
            _refuse(f"may not lead to {address}: it is {why}, and {_NOT_ALLOWED}")
        if where.scheme == "http" and not allowed_in_clear(address, networks):
            _refuse("begins with https://: http:// is for networks of BURSAR_WEBHOOK_NETWORKS")
        return where
    local = where.host in _LOCAL or where.host.endswith(".localhost")
    if local and not any(_overlap(own, n) for own in _LOOPBACK for n in networks):
        _refuse(f"may not lead to {where.host}: it is loopback, and {_NOT_ALLOWED}")
    if where.scheme == "http" and not networks:
        _refuse("begins with https://: http:// is for networks of BURSAR_WEBHOOK_NETWORKS")
    return where


def literal(host: str) -> Address | None:
    """Read a host that is an address; None if it is a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def forbidden(address: Address, networks: Sequence[Network]) -> str | None:
    """Say why an address must not be reached; None if it may be.

    An address of IPv6 that stands for one of IPv4 is judged as that: mapped, 6to4 or NAT64.
    """
    if _within(address, networks):
        return None
    for network, why in _NOT_GLOBAL:
        if address in network:
            return why
    if isinstance(address, IPv4Address):
        return None
    embedded = _embedded(address)
    if embedded is not None:
        return forbidden(embedded, networks)
    return None if address in _GLOBAL_6 else "not global unicast"


def allowed_in_clear(address: Address, networks: Sequence[Network]) -> bool:
    """Say whether an address may be reached without TLS: in the networks that are allowed."""
    return _within(address, networks)


def _within(address: Address, networks: Sequence[Network]) -> bool:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return any((mapped or address) in network for network in networks)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address in _SIX_TO_FOUR:
        return IPv4Address(int(address) >> 80 & 0xFFFF_FFFF)
    return address.ipv4_mapped


def _overlap(one: Network, other: Network) -> bool:
    match one, other:
        case (IPv4Network(), IPv4Network()) | (IPv6Network(), IPv6Network()):
            return one.overlaps(other)
        case _:
            return False


def _port(scheme: str, text: str | None) -> int:
    if text is None:
        return _PORTS[scheme]
    if not 0 < len(text) <= 5 or not 0 < int(text) <= 65_535:
        _refuse("has a port from 1 to 65535, or none")
    return int(text)


def _address_6(text: str) -> str:
    try:
        return str(IPv6Address(text))
    except ValueError:
        _refuse("has an address in brackets that is none of IPv6")


def _host(text: str) -> str:
    """Read a name or an address of IPv4, in ASCII.

    Whatever ends in a number is an address to some readers: 0x7f.1, 0177.0.0.1 and 2130706433 are
    127.0.0.1. Only the usual form is taken.
    """
    host = text.lower()
    if not host.isascii():
        try:
            host = idna.encode(text, uts46=True, std3_rules=True).decode()
        except idna.IDNAError:
            _refuse("has a host name that is none")
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(host))
        except ValueError:
            _refuse("has an address that is written as 203.0.113.7")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        _refuse("has a host name of letters, digits and hyphens, without a dot at its end")
    return host


def _refuse(what: str) -> NoReturn:
    raise Invalid("webhook_url", f"the URL of a webhook {what}", field="url")
