"""Chains sealed with a key: nobody rewrites them without it (L5, L10)."""

import hashlib
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from bursar.ledger.audit.verify import verify
from bursar.ledger.commands import Credit
from bursar.ledger.decision.checksum import Seal, genesis
from bursar.ledger.service import Ledger
from tests.ledger.busy import Urls, damage, holder, make_busy, named

COINS = "asset coins"
RECORD = """record_send(row(key_id, seq, posting_id, amount, held_change,
    balance, effective_at, recorded_at, kind, reference, house_account, source, metadata,
    detail))"""


def forge(database: Urls, holder_id: int, first_seq: int, key_id: int) -> None:
    """Rewrite the end of a chain so that it is sound without a key."""
    columns = "holder_id = %s and asset_id = 1 and seq = %s"
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        found = connection.execute(
            "select seq, checksum from bursar.entries where holder_id = %s and asset_id = 1 "
            "order by seq",
            (holder_id,),
        ).fetchall()
        previous = genesis(holder_id, 1) if first_seq == 1 else found[first_seq - 2][1]
        for seq, _ in found[first_seq - 1 :]:
            place = (holder_id, seq)
            connection.execute(
                f"update bursar.entries set source = 'forged', key_id = %s where {columns}",
                (key_id, *place),
            )
            row = connection.execute(
                f"select {RECORD} from bursar.entries where {columns}", place
            ).fetchone()
            assert row is not None
            previous = hashlib.sha256(previous + row[0]).digest()
            connection.execute(
                f"update bursar.entries set checksum = %s where {columns}", (previous, *place)
            )
        connection.execute(
            "update bursar.wallets set head = %s where holder_id = %s and asset_id = 1",
            (previous, holder_id),
        )


KEY = Seal(b"0123456789abcdef0123456789abcdef", 3)


@pytest.fixture
async def keyed(ledger: Ledger) -> Ledger:
    """A ledger that got a key after its first day."""
    await ledger.add_asset("coins", actor="test", reason="test")
    commands = [
        Credit(holder=h, asset="coins", amount=9, reference="before the key") for h in ("a", "z")
    ]
    await ledger.post(commands, actor="t", reason="t")
    keyed = Ledger(ledger.database, KEY)
    await make_busy(keyed)
    return keyed


async def test_keyed_books_are_clean_with_their_key(keyed: Ledger) -> None:
    report = await verify(keyed.database, KEY)
    assert report.findings == ()
    assert report.unverifiable == 0
    assert report.entries > 80


async def test_entries_of_another_key_are_told_as_unverifiable(keyed: Ledger) -> None:
    for seal in (Seal(), Seal(b"another key, another number.....", 4)):
        report = await verify(keyed.database, seal)
        assert report.findings == ()
        assert report.unverifiable == report.entries - 2


async def test_the_wrong_key_finds_every_entry(keyed: Ledger) -> None:
    report = await verify(keyed.database, Seal(b"another key, but the same number", 3))
    assert report.found == report.entries - 2
    assert {finding.kind for finding in report.findings} == {"checksum"}


async def test_a_keyed_checksum_changed_alone_is_named_alone(keyed: Ledger, database: Urls) -> None:
    a = await holder(keyed, "a")
    damage(
        database,
        f"update bursar.entries set checksum = sha256('') where holder_id = {a} and seq = 5",
    )
    both = {("checksum", f"holder {a}, asset {code}, seq 5") for code in ("coins", "gem_stones_2")}
    assert named(await verify(keyed.database, KEY)) == both


@pytest.mark.parametrize(("first_seq", "key_id", "kind"), [(4, 3, "checksum"), (4, 0, "downgrade")])
async def test_a_chain_rewritten_without_the_key_is_found(
    keyed: Ledger, database: Urls, first_seq: int, key_id: int, kind: str
) -> None:
    a = await holder(keyed, "a")
    forge(database, a, first_seq, key_id)
    report = await verify(keyed.database, KEY)
    assert {finding.kind for finding in report.findings} == {kind}
    assert (kind, f"holder {a}, {COINS}, seq {first_seq}") in named(report)


async def test_a_whole_chain_without_a_key_is_found_by_when_the_key_came(
    keyed: Ledger, database: Urls
) -> None:
    b = await holder(keyed, "b")
    first = await verify(keyed.database, KEY, first_holder=b, last_holder=b)
    assert first.ok
    forge(database, b, 1, 0)
    assert (await verify(keyed.database, KEY)).ok
    since = datetime.now(UTC) - timedelta(hours=1)
    report = await verify(keyed.database, KEY, keyed_since=since, first_holder=b, last_holder=b)
    assert ("downgrade", f"holder {b}, {COINS}, seq 1") in named(report)
