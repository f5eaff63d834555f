"""The words of the doctor: what is looked at, and what is found. Pure (O2)."""

from collections.abc import Callable, Iterator
from enum import StrEnum

import msgspec

from bursar.notices.sending.model import Queue


class Level(StrEnum):
    """How bad a finding is."""

    DANGER = "danger"
    ADVICE = "advice"


class Finding(msgspec.Struct, frozen=True):
    """What a check has found, and what to do."""

    level: Level
    check: str
    found: str
    todo: str


class OpenTransaction(msgspec.Struct, frozen=True):
    """A transaction that has written and is open; a prepared one outlives its session."""

    name: str
    prepared: bool
    seconds: int


class Rights(msgspec.Struct, frozen=True):
    """One append-only table: its guard, and who of the two roles may rewrite it."""

    table: str
    guarded: bool
    service_may: bool
    login_may: bool


class ServerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The server and the database in it; ``skew_ms`` is its clock less this machine's."""

    major: int
    version: str
    standby: bool
    login: str
    role: str
    connections: int
    most_connections: int
    checksum_failures: int
    age: int
    skew_ms: int
    settings: dict[str, str]
    rights: tuple[Rights, ...]
    transactions: tuple[OpenTransaction, ...]
    invalid_indexes: tuple[str, ...]
    neglected: tuple[str, ...]


class BooksFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in Bursar's own tables; ages are seconds, that of the last check hours."""

    entries: bool
    programs: int
    admin_key: bool
    sandbox: bool
    moved_s: int
    held_back_s: int | None
    checked_h: int | None
    found: int
    workers: dict[str, int]
    alerts: dict[str, int]


class NoticeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """How telling people and machines stands, in the books and in this process's settings.

    ``operators`` are addresses that the economy names. ``behind_s`` is how long the oldest posting
    has waited to be told of. ``webhooks`` are those that there are, with why one is off, empty if
    it is on. ``sealed`` says whether there is a key for their secrets; ``unreadable`` are those
    whose secret it does not open. ``failures`` are what is wrong in the operator's templates.
    """

    operators: int
    queues: tuple[Queue, ...]
    behind_s: int
    webhooks: dict[str, str]
    sealed: bool
    unreadable: tuple[str, ...]
    mail_server: bool
    mail_from: bool
    public_url: bool
    failures: tuple[str, ...]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that is judged. ``books`` and ``notices`` are None where ``schema_error`` says why they
    can't be read; ``free`` and ``disk`` are bytes, None for a server elsewhere."""

    server: ServerFacts
    books: BooksFacts | None
    notices: NoticeFacts | None
    schema_error: str | None
    keyed: bool
    verify_hours: int
    free: int | None
    disk: int | None


Check = Callable[[Facts], Iterator[Finding]]


def danger(check: str, found: str, todo: str) -> Finding:
    """Find what may cost books, credit or the service."""
    return Finding(Level.DANGER, check, found, todo)


def advice(check: str, found: str, todo: str) -> Finding:
    """Find what an operator should know and may have wanted so."""
    return Finding(Level.ADVICE, check, found, todo)


def spelled(seconds: int) -> str:
    """Spell a length of time as a person would: ``3 h``."""
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
