"""The doctor, on servers and books that ail for real, and its judgement of facts (O2)."""

from collections.abc import Callable

import msgspec
import psycopg
import pytest

from bursar.ledger import Credit, Ledger
from bursar.notices.model import Channel
from bursar.notices.sending.model import Queue
from bursar.operation import Diagnosis, Operation, diagnose
from bursar.operation.doctor import LONG_S, SETTINGS, findings_of
from bursar.operation.doctor_notices import LATE_S
from bursar.operation.symptoms import (
    BooksFacts,
    Facts,
    Finding,
    Level,
    NoticeFacts,
    OpenTransaction,
    Rights,
    ServerFacts,
)
from bursar.platform.place import Place
from bursar.platform.settings import load_settings
from tests.conftest import Database, OwnServer
from tests.support import postgres
from tests.support.postgres import role_url

_PREPARED = postgres.SMALL | {"max_prepared_transactions": "2"}

SOUND = Facts(
    server=ServerFacts(
        major=18,
        version="18.6",
        standby=False,
        login="bursar_service",
        role="bursar_service",
        connections=5,
        most_connections=100,
        checksum_failures=0,
        age=1_000,
        skew_ms=0,
        settings=dict.fromkeys(SETTINGS, "?") | {"data_checksums": "on"},
        rights=tuple(Rights(t, True, False, False) for t in ("acts", "entries", "postings")),
        transactions=(),
        invalid_indexes=(),
        neglected=(),
    ),
    books=BooksFacts(
        entries=True,
        programs=1,
        admin_key=True,
        sandbox=False,
        moved_s=0,
        held_back_s=None,
        checked_h=3,
        found=0,
        workers={"host:1": 20},
        alerts={},
    ),
    notices=NoticeFacts(
        operators=1,
        queues=(
            Queue(channel=Channel.EMAIL, waiting=3, parked=0, behind_s=0),
            Queue(channel=Channel.WEBHOOK, waiting=0, parked=0, behind_s=0),
        ),
        behind_s=0,
        webhooks={"webhook_1": ""},
        sealed=True,
        unreadable=(),
        mail_server=True,
        mail_from=True,
        public_url=True,
        failures=(),
    ),
    schema_error=None,
    keyed=True,
    verify_hours=24,
    free=50 * 2**30,
    disk=100 * 2**30,
)


async def _look(url: str) -> Diagnosis:
    return await diagnose(Place(url=url), load_settings({}))


def _named(findings: tuple[Finding, ...], level: Level | None = None) -> list[str]:
    return [f.check for f in findings if level is None or f.level is level]


def _on_server(**changes: object) -> Facts:
    return msgspec.structs.replace(SOUND, server=msgspec.structs.replace(SOUND.server, **changes))


def _in_books(**changes: object) -> Facts:
    assert SOUND.books is not None
    return msgspec.structs.replace(SOUND, books=msgspec.structs.replace(SOUND.books, **changes))


def _in_notices(**changes: object) -> Facts:
    assert SOUND.notices is not None
    changed = msgspec.structs.replace(SOUND.notices, **changes)
    return msgspec.structs.replace(SOUND, notices=changed)


def _queued(
    channel: Channel, waiting: int = 0, parked: int = 0, behind_s: int = 0, failing: int = 0
) -> Facts:
    queue = Queue(
        channel=channel,
        waiting=waiting,
        parked=parked,
        behind_s=behind_s,
        failing=failing,
        example=7 if failing else None,
    )
    return _in_notices(queues=(queue,))


# --- judgement ----------------------------------------------------------------------------------


def test_in_sound_facts_nothing_is_found() -> None:
    assert findings_of(SOUND) == ()


GB = 2**30
WRITER = OpenTransaction("process 7 (psql)", False, LONG_S)


@pytest.mark.parametrize(
    ("facts", "level", "check"),
    [
        (_on_server(major=14), Level.DANGER, "version"),
        (_on_server(standby=True), Level.DANGER, "standby"),
        (_on_server(checksum_failures=1), Level.DANGER, "pages"),
        (_on_server(settings={"data_checksums": "off"}), Level.ADVICE, "pages"),
        (_on_server(rights=(Rights("acts", False, False, False),)), Level.DANGER, "guards"),
        (_on_server(rights=(Rights("acts", True, True, True),)), Level.DANGER, "role"),
        (_on_server(rights=(Rights("acts", True, False, True),)), Level.ADVICE, "role"),
        (_on_server(skew_ms=-1_000), Level.ADVICE, "clock"),
        (_on_server(skew_ms=300_000), Level.DANGER, "clock"),
        (_on_server(connections=80), Level.ADVICE, "connections"),
        (_on_server(connections=95), Level.DANGER, "connections"),
        (_on_server(transactions=(WRITER,)), Level.ADVICE, "transactions"),
        (
            _on_server(transactions=(msgspec.structs.replace(WRITER, seconds=3_600),)),
            Level.DANGER,
            "transactions",
        ),
        (_on_server(transactions=(OpenTransaction("x", True, 0),)), Level.ADVICE, "prepared"),
        (_on_server(transactions=(OpenTransaction("x", True, 3_600),)), Level.DANGER, "prepared"),
        (_on_server(invalid_indexes=("runs_open",)), Level.DANGER, "indexes"),
        (_on_server(neglected=("entries",)), Level.ADVICE, "upkeep"),
        (_on_server(age=1_000_000_000), Level.DANGER, "age"),
        (_in_books(held_back_s=LONG_S), Level.ADVICE, "followers"),
        (_in_books(held_back_s=3_600), Level.DANGER, "followers"),
        (_in_books(found=1), Level.DANGER, "verification"),
        (_in_books(checked_h=None), Level.ADVICE, "verification"),
        (_in_books(checked_h=49), Level.ADVICE, "verification"),
        (_in_books(workers={}), Level.ADVICE, "workers"),
        (_in_books(programs=0, workers={"host:1": 121}), Level.ADVICE, "workers"),
        (_in_books(alerts={"verify_failed": 1}), Level.DANGER, "alerts"),
        (_in_books(alerts={"run_failed": 1}), Level.ADVICE, "alerts"),
        (_in_books(admin_key=False), Level.ADVICE, "admin_key"),
        (_in_books(sandbox=True), Level.ADVICE, "sandbox"),
        (_in_notices(mail_from=False), Level.DANGER, "mail"),
        (_in_notices(public_url=False), Level.ADVICE, "mail"),
        (_in_notices(mail_server=False, operators=0), Level.DANGER, "mail"),
        (_in_notices(mail_server=False, queues=()), Level.ADVICE, "mail"),
        (_queued(Channel.EMAIL, parked=1), Level.ADVICE, "deliveries"),
        (_queued(Channel.EMAIL, waiting=2, failing=1), Level.ADVICE, "deliveries"),
        (_queued(Channel.WEBHOOK, behind_s=LATE_S), Level.ADVICE, "deliveries"),
        (_queued(Channel.EMAIL, behind_s=86_400), Level.DANGER, "deliveries"),
        (_in_notices(behind_s=LATE_S), Level.ADVICE, "notices"),
        (_in_notices(behind_s=86_400), Level.DANGER, "notices"),
        (_in_notices(webhooks={"webhook_1": "gone"}), Level.ADVICE, "webhooks"),
        (_in_notices(webhooks={"webhook_1": "operator"}), Level.ADVICE, "webhooks"),
        (_in_notices(sealed=False), Level.DANGER, "secrets_key"),
        (_in_notices(unreadable=("webhook_1",)), Level.DANGER, "secrets_key"),
        (_in_notices(failures=("en/deposit.txt:2 (x)",) * 5), Level.DANGER, "templates"),
        (msgspec.structs.replace(SOUND, keyed=False), Level.ADVICE, "checksum_key"),
        (msgspec.structs.replace(SOUND, free=GB - 1), Level.DANGER, "disk"),
        (msgspec.structs.replace(SOUND, free=9 * GB), Level.ADVICE, "disk"),
        (
            msgspec.structs.replace(SOUND, schema_error="behind", books=None, notices=None),
            Level.DANGER,
            "schema",
        ),
    ],
)
def test_an_ailment_is_the_one_finding_and_something_can_be_done(
    facts: Facts, level: Level, check: str
) -> None:
    [finding] = findings_of(facts)
    assert (finding.level, finding.check) == (level, check)
    assert finding.todo


@pytest.mark.parametrize(
    "facts",
    [
        _on_server(skew_ms=999),
        _on_server(connections=79),
        _on_server(transactions=(msgspec.structs.replace(WRITER, seconds=LONG_S - 1),)),
        _on_server(age=999_999_999),
        _in_books(held_back_s=LONG_S - 1),
        _in_books(checked_h=48),
        _in_books(checked_h=None, entries=False),
        _in_books(programs=0, workers={}),
        _queued(Channel.EMAIL, waiting=10_000, behind_s=LATE_S - 1),
        _in_notices(behind_s=LATE_S - 1),
        _in_notices(webhooks={}, sealed=False),
        _in_notices(mail_server=False, mail_from=False, public_url=False, operators=0, queues=()),
        msgspec.structs.replace(SOUND, free=None, disk=None),
        msgspec.structs.replace(SOUND, free=20 * GB, disk=1_000 * GB),
        msgspec.structs.replace(_in_books(checked_h=24 * 14), verify_hours=0),
    ],
)
def test_what_is_just_well_enough_is_no_finding(facts: Facts) -> None:
    assert findings_of(facts) == ()


@pytest.mark.parametrize("name", SETTINGS)
def test_each_setting_that_endangers_is_a_danger(name: str) -> None:
    facts = _on_server(settings=SOUND.server.settings | {name: SETTINGS[name][0]})
    [finding] = findings_of(facts)
    assert (finding.level, finding.check) == (Level.DANGER, name)


def test_dangers_come_first() -> None:
    facts = msgspec.structs.replace(_in_books(found=1, sandbox=True), keyed=False)
    levels = [finding.level for finding in findings_of(facts)]
    assert levels == [Level.DANGER, Level.ADVICE, Level.ADVICE]


# --- real servers -------------------------------------------------------------------------------


@pytest.mark.slow
async def test_a_fresh_ledger_on_a_server_of_ours_has_nothing_that_endangers(
    own_server: OwnServer,
) -> None:
    told = await diagnose(Place(data_dir=own_server.data_dir), load_settings({}))
    assert told.sound, told.findings
    assert _named(told.findings) == ["checksum_key", "admin_key"]
    assert told.facts.free is not None


@pytest.mark.slow
async def test_settings_changed_on_the_server_are_found(own_server: OwnServer) -> None:
    off = ("autovacuum", "fsync", "full_page_writes", "synchronous_commit", "track_counts")
    with psycopg.connect(own_server.owner_url, autocommit=True) as server:
        for name in off:
            server.execute(f"alter system set {name} = off")
        server.execute("select pg_reload_conf()")
    assert set(_named((await _look(own_server.url)).findings, Level.DANGER)) == set(off)


async def test_a_server_that_may_lose_what_it_answered_is_found(database: Database) -> None:
    """The tests' own server is fast because it is not durable."""
    dangers = _named((await _look(database.url)).findings, Level.DANGER)
    assert set(dangers) == {"fsync", "full_page_writes", "synchronous_commit"}


@pytest.mark.slow
async def test_a_prepared_transaction_is_found() -> None:
    with (
        postgres.server_in_temporary_directory(_PREPARED) as server,
        psycopg.connect(server.owner_url) as other,
    ):
        other.execute("create table forgotten (a integer)")
        other.execute("prepare transaction 'lost'")
        told = await _look(server.service_url)
        [prepared] = [f for f in told.findings if f.check == "prepared"]
        assert "lost" in prepared.found
        assert "schema" in _named(told.findings, Level.DANGER)  # nobody has migrated it


async def test_a_schema_that_is_missing_is_found_and_the_books_are_left_alone(
    empty_database: Database,
) -> None:
    told = await _look(empty_database.url)
    assert "schema" in _named(told.findings, Level.DANGER)
    assert told.facts.books is None


async def test_a_schema_that_is_behind_is_found(
    database: Database, owner: psycopg.Connection
) -> None:
    owner.execute("delete from bursar.migrations where number > 5")
    [finding] = [f for f in (await _look(database.url)).findings if f.check == "schema"]
    assert "at 5" in finding.found


async def test_a_guard_that_is_off_is_found(database: Database, owner: psycopg.Connection) -> None:
    owner.execute("alter table bursar.entries disable trigger entries_are_append_only")
    owner.execute("drop trigger acts_are_append_only on bursar.acts")
    [finding] = [f for f in (await _look(database.url)).findings if f.check == "guards"]
    assert "acts, entries" in finding.found


async def test_a_service_that_may_rewrite_the_books_is_found(
    database: Database, owner: psycopg.Connection
) -> None:
    owner.execute("grant delete on bursar.entries to bursar_service")
    [finding] = [f for f in (await _look(database.url)).findings if f.check == "role"]
    assert (finding.level, "entries" in finding.found) == (Level.DANGER, True)


async def test_an_owner_who_logs_in_and_becomes_the_service_is_told(database: Database) -> None:
    [finding] = [f for f in (await _look(database.owner_url)).findings if f.check == "role"]
    assert finding.level is Level.ADVICE
    assert "bursar_owner logs in" in finding.found


async def test_a_login_that_may_rewrite_and_is_not_the_service_is_a_danger(
    database: Database, admin: psycopg.Connection, owner: psycopg.Connection
) -> None:
    admin.execute("create role ann login password 'ann'")
    try:
        owner.execute("grant usage on schema bursar to ann")
        owner.execute("grant all on all tables in schema bursar to ann")
        told = await _look(role_url(database.url, "ann", "ann"))
    finally:
        owner.execute("drop owned by ann")
        admin.execute("drop role ann")
    [finding] = [f for f in told.findings if f.check == "role"]
    assert (finding.level, "works as ann" in finding.found) == (Level.DANGER, True)


async def test_an_invalid_index_is_found(database: Database, owner: psycopg.Connection) -> None:
    owner.execute(
        "update pg_index set indisvalid = false where indexrelid = 'bursar.runs_open'::regclass"
    )
    [finding] = [f for f in (await _look(database.url)).findings if f.check == "indexes"]
    assert "runs_open" in finding.found


async def test_a_large_table_that_nobody_vacuumed_is_found(
    database: Database, owner: psycopg.Connection
) -> None:
    owner.execute("alter table bursar.holder_ids set (autovacuum_enabled = false)")
    owner.execute(
        "insert into bursar.holder_ids (external_id) select 'x' || i"
        " from generate_series(1, 100000) i"
    )
    owner.execute("analyze bursar.holder_ids")
    [finding] = [f for f in (await _look(database.url)).findings if f.check == "upkeep"]
    assert "holder_ids" in finding.found
    owner.execute("vacuum bursar.holder_ids")
    assert "upkeep" not in _named((await _look(database.url)).findings)


async def test_postings_that_followers_may_not_see_are_found(
    database: Database, owner: psycopg.Connection, ledger: Ledger
) -> None:
    with psycopg.connect(database.owner_url) as other:
        other.execute("select pg_current_xact_id()")
        grant = Credit(holder="ada", asset="coins", amount=1, reference="late")
        await ledger.submit(grant, actor="test", reason="test")
        told = await _look(database.url)
        assert told.facts.books is not None
        assert told.facts.books.held_back_s is not None
        assert "followers" not in _named(told.findings)  # not for long yet
        owner.execute("set session_replication_role = replica")
        owner.execute("update bursar.postings set recorded_at = recorded_at - interval '1 hour'")
        assert "followers" in _named((await _look(database.url)).findings, Level.DANGER)
        other.rollback()
    assert "followers" not in _named((await _look(database.url)).findings)


async def test_what_a_check_of_the_books_found_stays_a_danger_until_a_sound_one(
    database: Database, operation: Operation, damage: Callable[[], None], owner: psycopg.Connection
) -> None:
    assert "verification" in _named((await _look(database.url)).findings, Level.ADVICE)
    await operation.verify(actor="cli:ann", reason="audit")
    assert "verification" not in _named((await _look(database.url)).findings)
    damage()
    await operation.verify(actor="cli:ann", reason="audit", first_holder=1, last_holder=2)
    dangers = _named((await _look(database.url)).findings, Level.DANGER)
    assert {"verification", "alerts"} <= set(dangers)
    owner.execute("update bursar.wallets set balance = 100 where holder_id = 2")
    await operation.verify(actor="cli:ann", reason="mended")
    assert "verification" not in _named((await _look(database.url)).findings)
    owner.execute(
        "update bursar.verifications set began_at = began_at - interval '3 days',"
        " seen_at = seen_at - interval '3 days', ended_at = ended_at - interval '3 days'"
    )
    assert "verification" in _named((await _look(database.url)).findings, Level.ADVICE)


async def test_workers_that_went_silent_are_found(
    database: Database, operation: Operation, owner: psycopg.Connection
) -> None:
    await operation.sign_of_life("host:1")
    assert "workers" not in _named((await _look(database.url)).findings)
    owner.execute("update bursar.workers set seen_at = seen_at - interval '3 minutes'")
    [finding] = [f for f in (await _look(database.url)).findings if f.check == "workers"]
    assert "host:1 was last heard of 3 min ago" in finding.found


async def test_alerts_the_sandbox_and_an_admin_key_that_ended_are_told(
    database: Database, owner: psycopg.Connection
) -> None:
    owner.execute(
        "insert into bursar.operator_alerts (kind, subject, message, raised_at, last_at)"
        " values ('run_failed', 's', 'm', now(), now())"
    )
    owner.execute("update bursar.economy set sandbox = true, clock_offset = '3 days'")
    owner.execute(
        "insert into bursar.api_keys (name, owner, scopes, made_at, expires_at) values"
        " ('laptop', 'ada', '{admin}', now() - interval '2 days', now() - interval '1 day')"
    )
    told = await _look(database.url)
    advice = _named(told.findings, Level.ADVICE)
    assert {"alerts", "sandbox", "admin_key"} <= set(advice)
    assert any("now by 3 days" in finding.found for finding in told.findings)
    owner.execute("update bursar.api_keys set expires_at = null")
    assert "admin_key" not in _named((await _look(database.url)).findings)
