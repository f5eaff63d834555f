"""An address that is nobody's is not written to again, until somebody says so, with a reason."""

from typing import Any

import psycopg
import pytest

from bursar.holders import HolderChange, Holders
from bursar.ledger import Ledger
from bursar.notices.mail.bounces import Bounces
from bursar.platform.errors import Invalid, Missing
from bursar.trail import Trail

ANN = {"actor": "cli:ann", "reason": "the mailbox is back"}


async def bounce(bounces: Bounces, address: str, holder_id: int = 1) -> None:
    await bounces.keep(address, holder_id=holder_id, status=550, detail="no such user")


async def blocked(bounces: Bounces, address: str) -> bool:
    return (await bounces.look(address))[0]


async def test_an_address_is_blocked_however_it_is_written(ledger: Ledger) -> None:
    bounces = Bounces(ledger)
    assert not await blocked(bounces, "ada@example.org")
    await bounce(bounces, "ada@example.org")
    await bounce(bounces, "ada@example.org")
    assert await blocked(bounces, " ADA@Example.ORG ")
    assert not await blocked(bounces, "bob@example.org")
    assert len((await bounces.list()).items) == 1


async def test_no_address_is_in_the_database(ledger: Ledger, database: Any) -> None:
    await bounce(Bounces(ledger), "ada@example.org")
    with psycopg.connect(database.owner_url) as owner:
        [row] = owner.execute("select b::text from bursar.mail_bounces b").fetchall()
    assert "ada" not in row[0]
    assert len(row[0].partition(",")[0].strip('("\\x')) == 64


async def test_what_is_blocked_is_listed_page_by_page_the_newest_first(ledger: Ledger) -> None:
    bounces = Bounces(ledger)
    for number in range(5):
        await bounce(bounces, f"a{number}@example.org", holder_id=1 + number % 2)
    whole = (await bounces.list()).items
    assert [one.bounced_at for one in whole] == sorted(
        (one.bounced_at for one in whole), reverse=True
    )
    seen, cursor = [], None
    while True:
        page = await bounces.list(limit=2, cursor=cursor)
        seen += page.items
        if (cursor := page.cursor) is None:
            break
    assert tuple(seen) == whole
    assert [one.holder_id for one in (await bounces.list(holder="bob")).items] == [2, 2]


@pytest.mark.parametrize(
    "cursor", ["", "7", "-", "1-xyz", "9" * 30 + "-" + "0" * 64, "1-" + "g" * 64, "²-" + "0" * 64]
)
async def test_a_cursor_is_one_that_a_page_gave(ledger: Ledger, cursor: str) -> None:
    with pytest.raises(Invalid) as caught:
        await Bounces(ledger).list(cursor=cursor)
    assert caught.value.code == "cursor"


async def test_a_holder_is_cleared_with_an_act_that_names_no_address(ledger: Ledger) -> None:
    bounces = Bounces(ledger)
    await bounce(bounces, "old@example.org")
    await bounce(bounces, "ada@example.org", holder_id=2)  # both have it
    assert await bounces.clear(holder="ada", **ANN) == 2
    assert not await blocked(bounces, "ada@example.org")
    assert not await blocked(bounces, "old@example.org")
    [act, *_] = (await Trail(ledger.database).acts()).items
    assert (act.act, act.subject, act.actor) == ("bounce.clear", "holder_1", "cli:ann")
    assert act.before == {"addresses": 2, "statuses": [550, 550]}


async def test_who_is_not_blocked_or_not_known_is_not_cleared(ledger: Ledger) -> None:
    bounces = Bounces(ledger)
    earlier = await Trail(ledger.database).acts()
    for holder, code in (("ada", "bounce_unknown"), ("zoe", "holder_unknown")):
        with pytest.raises(Missing) as caught:
            await bounces.clear(holder=holder, **ANN)
        assert caught.value.code == code
    with pytest.raises(Invalid):
        await bounces.clear(holder="ada", actor="cli:ann", reason="")
    assert await Trail(ledger.database).acts() == earlier


async def test_a_new_address_is_not_blocked(ledger: Ledger) -> None:
    bounces = Bounces(ledger)
    await bounce(bounces, "ada@example.org")
    change = HolderChange("ada", email="lovelace@example.org")
    await Holders(ledger).upsert([change], actor="test", reason="moved")
    assert not await blocked(bounces, "lovelace@example.org")
