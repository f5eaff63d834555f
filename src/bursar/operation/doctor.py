"""What the doctor finds in the facts, and what to do about it. Pure (O2).

A check is one small function from facts to findings. A **danger** may cost books, credit or the
service; **advice** is what an operator should know and may have wanted so.
"""

from collections.abc import Iterator
from typing import Final

from bursar.operation.doctor_notices import NOTICE_CHECKS
from bursar.operation.symptoms import Check, Facts, Finding, Level, advice, danger, spelled

LONG_S: Final = 300
"""A transaction open for so many seconds is one too long."""

LARGE_ROWS: Final = 100_000
"""A table of so many rows needs its statistics."""

SETTINGS: Final = {
    "fsync": ("off", "a crash of the machine may destroy the whole database"),
    "full_page_writes": ("off", "a crash of the machine may tear pages of the books"),
    "synchronous_commit": ("off", "a crash may lose what was answered as done"),
    "autovacuum": ("off", "tables swell, and in the end the server stops taking writes"),
    "track_counts": ("off", "autovacuum does not know where to work"),
    "zero_damaged_pages": ("on", "damaged pages are emptied and nobody is told"),
    "ignore_checksum_failure": ("on", "damaged pages are read as if they were sound"),
    "session_replication_role": ("replica", "the guards of the append-only tables are off"),
}
"""Settings of PostgreSQL with the value that endangers the books, and how."""

_OLDEST_SERVER: Final = 15
_DANGER_LONG_S: Final = 3_600
_LIVE_S: Final = 120
_GB: Final = 2**30
_WORN: Final = 1_000_000_000


def check_version(facts: Facts) -> Iterator[Finding]:
    """A server too old cannot carry the books; a standby takes none."""
    if facts.server.major < _OLDEST_SERVER:
        yield danger(
            "version",
            f"PostgreSQL {facts.server.version} is too old",
            f"move to PostgreSQL {_OLDEST_SERVER} or newer: `bursar db upgrade`, or a restore",
        )
    if facts.server.standby:
        yield danger(
            "standby", "the server is a standby and takes no writes", "name the primary's address"
        )


def check_settings(facts: Facts) -> Iterator[Finding]:
    """Find settings that trade the books for speed."""
    for name, (bad, harm) in SETTINGS.items():
        if facts.server.settings.get(name) == bad:
            better = "origin" if bad == "replica" else "off" if bad == "on" else "on"
            yield danger(
                name,
                f"{name} is {bad}: {harm}",
                f"set {name} = {better} where it was changed (postgresql.conf, operator.conf, "
                "`alter system`, or the role's or the database's own settings) and reload",
            )


def check_pages(facts: Facts) -> Iterator[Finding]:
    """Find damaged pages, and whether damage would be noticed."""
    if facts.server.checksum_failures:
        yield danger(
            "pages",
            f"{facts.server.checksum_failures} pages were damaged on disk when they were read",
            "look at disk and memory of the machine; restore a backup on another one and `bursar "
            "verify` it",
        )
    if facts.server.settings.get("data_checksums") == "off":
        yield advice(
            "pages",
            "pages have no checksums: a disk that rots is not noticed",
            "stop the server and run `pg_checksums --enable`",
        )


def check_schema(facts: Facts) -> Iterator[Finding]:
    """Find a schema that this program cannot work on; the books are then not looked at."""
    if facts.schema_error is not None:
        yield danger(
            "schema",
            facts.schema_error,
            "run `bursar migrate`, or the release that the database is at",
        )


def check_rights(facts: Facts) -> Iterator[Finding]:
    """Entries, postings and acts are append-only for the service, and guarded for everybody."""
    open_ = [r.table for r in facts.server.rights if not r.guarded]
    if open_:
        yield danger(
            "guards",
            f"nothing refuses changes of what is written in {_listed(open_)}",
            "as the owner: `alter table bursar.… enable trigger …_are_append_only`, made anew as "
            "in docs/schema.sql if it is gone; then `bursar verify`",
        )
    may = [r.table for r in facts.server.rights if r.service_may]
    if may:
        yield danger(
            "role",
            f"Bursar works as {facts.server.role}, who may rewrite {_listed(may)}",
            "let BURSAR_DATABASE_URL log in as bursar_service, no owner and no superuser, and "
            "revoke update, delete and truncate from it",
        )
    elif any(r.login_may for r in facts.server.rights):
        yield advice(
            "role",
            f"{facts.server.login} logs in, who may rewrite the books, and only then becomes "
            f"{facts.server.role}",
            "let BURSAR_DATABASE_URL log in as bursar_service; keep the owner's for migrations",
        )


def check_disk(facts: Facts) -> Iterator[Finding]:
    """A full disk stops the server; room is told only of our own data directory."""
    if facts.free is None or facts.disk is None:
        return
    found = f"{facts.free // 2**20} MB of {facts.disk // 2**20} MB are free where the data lies"
    todo = "make room, or move the data directory to a larger disk while the server is stopped"
    if facts.free < _GB:
        yield danger("disk", found, todo)
    elif facts.free * 10 < facts.disk and facts.free < 20 * _GB:
        yield advice("disk", found, todo)


def check_clock(facts: Facts) -> Iterator[Finding]:
    """The books go by the database's clock; days and deadlines by a wrong one are wrong."""
    skew = facts.server.skew_ms
    if abs(skew) < 1_000:
        return
    way = "ahead of" if skew > 0 else "behind"
    say = danger if abs(skew) >= LONG_S * 1_000 else advice
    yield say(
        "clock",
        f"the database's clock is {abs(skew) // 1_000} s {way} this machine's",
        "let both machines keep time by NTP; the books go by the database's",
    )


def check_connections(facts: Facts) -> Iterator[Finding]:
    """Who finds no connection is not served."""
    used, most = facts.server.connections, facts.server.most_connections
    if used * 10 < most * 8:
        return
    say = danger if used * 20 >= most * 19 else advice
    yield say(
        "connections",
        f"{used} of {most} connections are in use",
        "raise max_connections, run fewer processes, or put a pooler between (BURSAR_POOLER)",
    )


def check_transactions(facts: Facts) -> Iterator[Finding]:
    """What has been written by open transactions holds back followers, and vacuum."""
    for one in facts.server.transactions:
        say = danger if one.seconds >= _DANGER_LONG_S else advice
        if one.prepared:
            yield say(
                "prepared",
                f"the prepared transaction {one.name} is {spelled(one.seconds)} old, and followers "
                "of the journal wait for it",
                "Bursar prepares none; its owner must `commit prepared` it or `rollback prepared`",
            )
        elif one.seconds >= LONG_S:
            yield say(
                "transactions",
                f"a transaction of {one.name} has been open for {spelled(one.seconds)}, and "
                "followers of the journal wait for it",
                "end it where it was begun, or `select pg_terminate_backend(…)`",
            )
    held = None if facts.books is None else facts.books.held_back_s
    if held is not None and held >= LONG_S:
        say = danger if held >= _DANGER_LONG_S else advice
        yield say(
            "followers",
            f"followers of the journal cannot see what was posted {spelled(held)} ago: an older "
            "transaction is open on the server",
            "as an administrator look at backend_xid and xact_start in pg_stat_activity, in every "
            "database, and at pg_prepared_xacts",
        )


def check_indexes(facts: Facts) -> Iterator[Finding]:
    """An index left half made finds nothing, and keeps nothing unique that was there before."""
    if facts.server.invalid_indexes:
        yield danger(
            "indexes",
            f"not valid: {_listed(facts.server.invalid_indexes)}",
            "as the owner: `reindex index concurrently bursar.…`",
        )


def check_upkeep(facts: Facts) -> Iterator[Finding]:
    """Tables that nobody vacuums, and transaction numbers that run out."""
    if facts.server.neglected:
        yield advice(
            "upkeep",
            f"large, and never vacuumed or analyzed: {_listed(facts.server.neglected)}",
            "`vacuum analyze` as the owner; autovacuum does it by itself if it is let",
        )
    if facts.server.age >= _WORN:
        yield danger(
            "age",
            f"the oldest transaction number is {facts.server.age:,} behind; at 2,147,483,648 the "
            "server stops taking writes",
            "`vacuum freeze` as the owner, and see what holds autovacuum back",
        )


def check_key(facts: Facts) -> Iterator[Finding]:
    """Without a key a whole chain can be rewritten unnoticed by whoever owns the database."""
    if not facts.keyed:
        late = facts.books is not None and facts.books.entries
        yield advice(
            "checksum_key",
            "BURSAR_CHECKSUM_KEY is not set: who owns the database could rewrite the books",
            "set it in every process and keep it elsewhere"
            + ("; what is written so far stays without" if late else ", before the first entry"),
        )


def check_verification(facts: Facts) -> Iterator[Finding]:
    """Books that nobody checks may be damaged for long."""
    if facts.books is None:
        return
    if facts.books.found:
        yield danger(
            "verification",
            f"the last check of the books found damage: {facts.books.found} findings",
            "`bursar verify` tells each; restore a backup beside it and compare before mending",
        )
    hours, every = facts.books.checked_h, facts.verify_hours or 24 * 7
    if hours is None and facts.books.entries:
        yield advice(
            "verification", "the books were never checked", "`bursar verify`, or run a worker"
        )
    elif hours is not None and hours > 2 * every:
        yield advice(
            "verification",
            f"the books were last checked {hours} h ago",
            "`bursar verify`, or run a worker: it does so every BURSAR_VERIFY_HOURS",
        )


def check_workers(facts: Facts) -> Iterator[Finding]:
    """Nobody is paid where nobody works."""
    if facts.books is None:
        return
    living = [name for name, seconds in facts.books.workers.items() if seconds <= _LIVE_S]
    for name, seconds in facts.books.workers.items():
        if seconds > _LIVE_S:
            yield advice(
                "workers",
                f"the worker {name} was last heard of {spelled(seconds)} ago and did not sign off",
                "see why it ended and start it anew; it is forgotten after a week",
            )
    if facts.books.programs and not living:
        yield advice(
            "workers",
            f"no worker gives a sign of life, and of the programs {facts.books.programs} "
            f"{'is' if facts.books.programs == 1 else 'are'} on",
            "run `bursar worker` (or `bursar up`), or at times of your own `bursar tick` and "
            "`bursar notices send`",
        )


def check_alerts(facts: Facts) -> Iterator[Finding]:
    """Matters that nobody has closed."""
    if facts.books is None:
        return
    for kind, count in facts.books.alerts.items():
        say = danger if kind == "verify_failed" else advice
        yield say(
            "alerts",
            f"{count} open of the kind {kind}",
            "`bursar alerts` tells them; `bursar alerts resolve` closes what is mended",
        )


def check_access(facts: Facts) -> Iterator[Finding]:
    """Without a key nobody can be let in over HTTP."""
    if facts.books is not None and not facts.books.admin_key:
        yield advice(
            "admin_key",
            "no API key may administer",
            "`bursar key add --scope admin --owner … --name …`, if the HTTP API is to be used",
        )


def check_sandbox(facts: Facts) -> Iterator[Finding]:
    """A sandbox's time can be moved, and what has moved never comes back."""
    if facts.books is not None and facts.books.sandbox:
        moved = f", now by {spelled(facts.books.moved_s)}" if facts.books.moved_s else ""
        yield advice(
            "sandbox",
            f"this is a sandbox: its clock can be moved{moved}",
            "for real people make another database, with sandbox = false in its economy file",
        )


CHECKS: Final[tuple[Check, ...]] = (
    check_version,
    check_settings,
    check_pages,
    check_schema,
    check_rights,
    check_disk,
    check_clock,
    check_connections,
    check_transactions,
    check_indexes,
    check_upkeep,
    check_key,
    check_verification,
    check_workers,
    check_alerts,
    *NOTICE_CHECKS,
    check_access,
    check_sandbox,
)


def findings_of(facts: Facts) -> tuple[Finding, ...]:
    """Find all there is to find, dangers first, else in the order of the checks."""
    found = [finding for check in CHECKS for finding in check(facts)]
    return tuple(sorted(found, key=lambda finding: finding.level is not Level.DANGER))


def _listed(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(names)
