"""What the doctor reads of notices, on books, settings, keys and templates that ail for real."""

from pathlib import Path

import psycopg
import pytest

from bursar.ledger import Credit, Ledger
from bursar.notices.model import Kind, NoticeSettings
from bursar.notices.store import put_settings
from bursar.notices.webhooks.service import Endpoints
from bursar.operation import Diagnosis, Operation, diagnose
from bursar.operation.noticing import read_notices
from bursar.operation.symptoms import Finding, Level
from bursar.platform.place import Place
from bursar.platform.sealing import KEY_FILE, Seal, load_seal, new_key
from bursar.platform.settings import load_settings
from tests.conftest import Database

WHO = {"actor": "cli:ann", "reason": "as agreed"}
CHECKS = {"mail", "deliveries", "notices", "webhooks", "secrets_key", "templates"}
MAIL = {"BURSAR_SMTP_URL": "smtp://127.0.0.1:25", "BURSAR_MAIL_FROM": "coins@club.example"}


async def _look(database: Database, **said: str) -> Diagnosis:
    return await diagnose(Place(url=database.url), load_settings(said))


async def _found(database: Database, **said: str) -> list[Finding]:
    """What is found of notices."""
    return [f for f in (await _look(database, **said)).findings if f.check in CHECKS]


async def _begin(ledger: Ledger, settings: NoticeSettings) -> None:
    async with ledger.database.transaction() as connection:
        await put_settings(connection, settings)


def _queue(owner: psycopg.Connection, count: int, state: str, ago: str) -> None:
    """Put letters into the queue that were due some time ago."""
    owner.execute(
        "insert into bursar.deliveries (notice_id, holder_id, happened_at, made_at, due_at,"
        " ended_at, channel, kind, state, data) select gen_random_uuid(), 1, now(), now(),"
        " now() - %(ago)s::interval, case when %(state)s <> 'waiting' then now() end, 'email',"
        " 'deposit', %(state)s, '{}' from generate_series(1, %(count)s)",
        {"ago": ago, "state": state, "count": count},
    )


async def test_where_nothing_is_told_nothing_is_found(database: Database, ledger: Ledger) -> None:
    assert await _found(database) == []


async def test_a_mail_server_without_links_and_operators_without_one_are_told(
    database: Database, ledger: Ledger
) -> None:
    [finding] = await _found(database, **MAIL)
    assert "BURSAR_PUBLIC_URL" in finding.todo
    linked = MAIL | {"BURSAR_PUBLIC_URL": "https://coins.club.example"}
    assert await _found(database, **linked) == []
    await _begin(ledger, NoticeSettings(operators=("ops@club.example",)))
    [finding] = await _found(database)
    assert (finding.level, "BURSAR_SMTP_URL" in finding.todo) == (Level.ADVICE, True)


async def test_letters_that_are_late_or_parked_are_found(
    database: Database, ledger: Ledger, owner: psycopg.Connection
) -> None:
    mail = MAIL | {"BURSAR_PUBLIC_URL": "https://coins.club.example"}
    _queue(owner, 2, "waiting", "-1 hour")
    assert await _found(database, **mail) == []
    _queue(owner, 1, "waiting", "2 days")
    _queue(owner, 3, "parked", "1 hour")
    danger, advice = await _found(database, **mail)
    assert (danger.level, "due for 2 days" in danger.found) == (Level.DANGER, True)
    assert (advice.level, "3 deliveries" in advice.found) == (Level.ADVICE, True)
    [unsent] = [f for f in await _found(database) if f.check == "mail"]
    assert "3 letters wait" in unsent.found


async def test_postings_that_nobody_has_told_of_are_found(
    database: Database, ledger: Ledger, owner: psycopg.Connection
) -> None:
    await _begin(ledger, NoticeSettings(send=(Kind.DEPOSIT,)))
    owner.execute("insert into bursar.cursors values ('notices', 0, '0', 0, now())")
    grant = Credit(holder="ada", asset="coins", amount=1, reference="late")
    await ledger.submit(grant, actor="test", reason="test")
    assert await _found(database) == []
    owner.execute("update bursar.economy set sandbox = true, clock_offset = '1 hour'")
    [finding] = await _found(database)
    assert (finding.check, finding.level) == ("notices", Level.ADVICE)
    owner.execute("update bursar.economy set clock_offset = '3 days'")
    [finding] = await _found(database)
    assert finding.level is Level.DANGER


async def test_webhooks_that_are_off_and_keys_that_are_gone_are_found(
    database: Database, ledger: Ledger
) -> None:
    key, other = new_key(), new_key()
    endpoints = Endpoints(ledger.database, Seal((key,)))
    for name in ("a", "b"):
        await endpoints.add(f"https://{name}.example/hook", **WHO)
    assert await _found(database, BURSAR_SECRETS_KEY=f"{other},{key}") == []
    [finding] = await _found(database)
    assert (finding.check, finding.level) == ("secrets_key", Level.DANGER)
    told = await _look(database, BURSAR_SECRETS_KEY=other)
    [finding] = [f for f in told.findings if f.check == "secrets_key"]
    assert "webhook_1, webhook_2" in finding.found
    assert key not in str(told.facts) + str(told.findings)
    await endpoints.change(1, on=False, **WHO)
    [finding] = await _found(database, BURSAR_SECRETS_KEY=key)
    assert (finding.check, "webhook_1 is off" in finding.found) == ("webhooks", True)
    await endpoints.remove(1, **WHO)
    assert await _found(database, BURSAR_SECRETS_KEY=key) == []


async def test_the_key_of_a_directory_is_looked_for_and_not_made(
    ledger: Ledger, tmp_path: Path
) -> None:
    settings, place = load_settings({}), Place(data_dir=tmp_path)
    async with ledger.database.snapshot() as connection:
        assert not (await read_notices(connection, place, settings)).sealed
        assert not (tmp_path / KEY_FILE).exists()
        load_seal(settings, tmp_path)
        assert (await read_notices(connection, place, settings)).sealed
        (tmp_path / KEY_FILE).write_text("no key")
        assert not (await read_notices(connection, place, settings)).sealed


async def test_a_template_that_fails_is_a_danger_with_its_line(
    database: Database, ledger: Ledger, tmp_path: Path
) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "deposit.txt").write_text("hello\n{{ nobody.knows }}\n")
    [finding] = await _found(database, BURSAR_TEMPLATES=str(tmp_path))
    assert (finding.check, finding.level) == ("templates", Level.DANGER)
    assert "en/deposit.txt:2" in finding.found


@pytest.mark.parametrize("state", ["waiting", "parked"])
async def test_queues_dispatches_webhooks_and_blocked_addresses_are_figures(
    operation: Operation, ledger: Ledger, owner: psycopg.Connection, state: str
) -> None:
    _queue(owner, 4, state, "1 hour")
    owner.execute(
        "insert into bursar.dispatches (run_id, started_at, state) values (1, now(), 'running'),"
        " (2, now(), 'running'), (3, now(), 'paused')"
    )
    owner.execute(
        "insert into bursar.mail_bounces (address_hash, status, bounced_at, detail)"
        " values (sha256('a'), 550, now(), ''), (sha256('b'), 550, now(), '')"
    )
    endpoints = Endpoints(ledger.database, Seal((new_key(),)))
    for name in ("a", "b", "c"):
        await endpoints.add(f"https://{name}.example/hook", **WHO)
    await endpoints.change(1, on=False, **WHO)
    await endpoints.remove(3, **WHO)

    told = (await operation.figures()).notices
    [mail, webhook] = told.queues
    assert (mail.waiting, mail.parked) == ((4, 0) if state == "waiting" else (0, 4))
    assert (mail.behind_s >= 3_600, webhook.waiting) == (state == "waiting", 0)
    assert (told.dispatches_running, told.dispatches_paused) == (2, 1)
    assert (told.webhooks_on, told.webhooks_off, told.blocked) == (1, 1, 2)
