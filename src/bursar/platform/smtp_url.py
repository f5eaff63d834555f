"""Reading the address of a mail server: where it is, who we are there, how it proves itself. Pure.

smtps://user:password@mail.example:465     TLS from the first byte
smtp://user:password@mail.example:587      STARTTLS, and nothing is said before it
smtp://127.0.0.1:25                        clear text, on this machine only
smtp://10.0.0.5:25?tls=no                  clear text, because somebody says so
smtps://mail.example?ca=/etc/our-ca.pem    certificates of an authority of one's own
…?helo=coins.club.example                  the name that we greet with
"""

from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import msgspec

from bursar.platform.errors import Invalid

_PORTS: Final = {"smtp": 587, "smtps": 465}
_OPTIONS: Final = ("tls", "ca", "helo")


class MailServer(msgspec.Struct, frozen=True, kw_only=True):
    """A mail server. ``tls`` says whether anything is said without it, ``at_once`` from when."""

    host: str
    port: int
    tls: bool
    at_once: bool
    username: str = ""
    password: str = ""
    ca: str = ""
    helo: str = ""

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port})"


def server_of(url: str) -> MailServer:
    """Read a URL; raises `Invalid` ``setting_invalid``, which never shows it."""
    try:
        parts = urlsplit(url) if url.isprintable() and " " not in url else urlsplit("")
        port = parts.port
        given = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise _malformed("is no URL") from None
    options = dict(given)
    if len(options) < len(given) or "" in options.values():
        raise _malformed("has each option once, and says something by it")
    _check(parts, port, options)
    host = (parts.hostname or "").rstrip(".")
    implicit = parts.scheme == "smtps"
    said = options.get("tls")
    tls = implicit or said == "yes" or (said != "no" and ("ca" in options or not _is_here(host)))
    return MailServer(
        host=host,
        port=port or _PORTS[parts.scheme],
        tls=tls,
        at_once=implicit,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        ca=options.get("ca", ""),
        helo=options.get("helo", ""),
    )


def _check(parts: SplitResult, port: int | None, options: dict[str, str]) -> None:
    if parts.scheme not in _PORTS or not (parts.hostname or "").rstrip("."):
        raise _malformed("must begin with smtp:// or smtps:// and name a host")
    if parts.path not in ("", "/") or parts.fragment or port == 0:
        raise _malformed("ends after the port, or in ?tls=no, ?ca=FILE, ?helo=NAME")
    if strange := sorted(options.keys() - set(_OPTIONS)):
        raise _malformed(f"has an option that is none of {', '.join(_OPTIONS)}: {strange[0][:20]}")
    if options.get("tls", "yes") not in ("yes", "no"):
        raise _malformed("says tls=yes or tls=no")
    if options.get("tls") == "no" and (parts.scheme == "smtps" or "ca" in options):
        raise _malformed("says tls=no and something that needs TLS")
    if bool(parts.username) != bool(parts.password):
        raise _malformed("has a user and a password, or neither")
    if not all(c.isalnum() or c in ".-:[]" for c in options.get("helo", "")):
        raise _malformed("greets with the name of a host")


def _is_here(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _malformed(what: str) -> Invalid:
    return Invalid("setting_invalid", f"BURSAR_SMTP_URL {what}", setting="BURSAR_SMTP_URL")
