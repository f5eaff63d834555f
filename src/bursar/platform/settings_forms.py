"""The forms of settings that are more than a number or a switch (O5).

Each function answers with the value as it is kept, or raises `Invalid` ``setting_invalid``. What
may hold a secret is never repeated in a message.
"""

import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final, NoReturn
from urllib.parse import SplitResult, urlsplit

from bursar.platform.errors import Invalid
from bursar.platform.mailbox import sender_of
from bursar.platform.smtp_url import server_of

_MAX_URL: Final = 2_000
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_FERNET: Final = re.compile(r"[A-Za-z0-9_-]{43}=")
_SMTP: Final = "an address like smtps://user:password@mail.example:465 or smtp://mail.example:587"
_PUBLIC: Final = "an address like https://coins.example; http only of this machine itself"


def smtp_url(name: str, text: str | None) -> str | None:
    """Check where mail is handed in: whoever sends it finds nothing wrong with it later."""
    if not text:
        return None
    url = _split(text)
    if url is None or url.scheme not in ("smtp", "smtps"):
        _refuse(name, _SMTP)
    server = server_of(text)
    if server.ca and not Path(server.ca).is_file():
        _refuse(name, f"{_SMTP}; in ?ca={server.ca} are no certificates")
    return text


def sender(name: str, text: str | None) -> str:
    """Check from whom mail comes."""
    if not text:
        return ""
    said = text.strip()
    return said if sender_of(said) else _refuse(name, 'like "Sports Club <coins@club.example>"')


def public_url(name: str, text: str | None) -> str | None:
    """Check where people reach the API; kept without a slash at its end."""
    if not text:
        return None
    url = _split(text)
    sound = (
        url is not None
        and (url.scheme == "https" or (url.scheme == "http" and _is_loopback(url.hostname or "")))
        and not (url.username or url.password or "@" in url.netloc)
        and not (url.query or url.fragment or text.endswith(("?", "#")))
    )
    return text.rstrip("/") if sound else _refuse(name, _PUBLIC)


def directory(name: str, text: str | None) -> Path | None:
    """Check that a directory is there: of a misspelt one nobody would miss what is in it."""
    if not text:
        return None
    path = Path(text).expanduser()
    return path if path.is_dir() else _refuse(name, "a directory that there is")


def fernet_keys(name: str, text: str | None) -> tuple[str, ...]:
    """Check keys of Fernet, with commas between; the first encrypts, all decrypt."""
    keys = tuple(key.strip() for key in (text or "").split(",")) if text else ()
    if not all(_FERNET.fullmatch(key) for key in keys):
        _refuse(name, "keys of Fernet with commas between, 32 bytes in URL-safe base64 each")
    if len(set(keys)) < len(keys):
        _refuse(name, "keys that differ: one is there twice")
    return keys


def networks(name: str, text: str | None) -> tuple[str, ...]:
    """Check networks, with commas between; one that is a single address is kept as a network."""
    read = []
    for part in (text or "").split(",") if text else ():
        try:
            read.append(str(ip_network(part.strip())))
        except ValueError as error:
            what = 'networks like "10.0.0.0/8,127.0.0.1/32", without bits of a host'
            raise _refusal(name, what) from error
    return tuple(dict.fromkeys(read))


def _split(text: str) -> SplitResult | None:
    """Take an address apart; None if it has no host, or what no address has."""
    if len(text) > _MAX_URL or not text.isascii() or not text.isprintable() or " " in text:
        return None
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        return None
    host = url.hostname or ""
    bare = url.netloc.rpartition("@")[2]
    if port == 0 or bare.endswith(":"):
        return None
    sound = _is_ip(host) if bare.startswith("[") else _HOST.fullmatch(host)
    return url if sound else None


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_ip(host) and ip_address(host).is_loopback)


def _refusal(name: str, what: str) -> Invalid:
    return Invalid("setting_invalid", f"{name} must be {what}", setting=name)


def _refuse(name: str, what: str) -> NoReturn:
    raise _refusal(name, what)
