"""The blocking client against a real `bursar serve`: holders, holds, keys, tokens, one's own."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from bursar.client import (
    Client,
    Conflict,
    Denied,
    HolderChange,
    InsufficientFunds,
    Missing,
    Rejected,
)
from tests.support.serving import add_key, serving

CLUB: Final = """\
[economy]
name = "club"

[assets.coins]

[programs.daily]
asset = "coins"
schedule = { claim = "day" }
amount = 5
"""
ODD: Final = "a/b ☕%2F"


@pytest.fixture
async def key(database: Any) -> str:
    """A key that may do everything."""
    return await add_key(database.url, "admin")


@pytest.fixture
def url(database: Any, key: str, tmp_path: Path) -> Iterator[str]:
    """A server, and a club on it."""
    with serving(database.url, key, tmp_path / "serve.log") as port:
        url = f"http://127.0.0.1:{port}"
        with Client(url, key) as client:
            client.economy.apply(CLUB, reason="a club is founded")
        yield url


def test_people_their_holds_their_keys_and_what_is_their_own(url: str, key: str) -> None:
    """One server for all of it: what each finds is what another has left."""
    with Client(url, key) as client:
        _holders(client)
        _holds(client)
        _keys(client, url)
        _one_s_own(client, url)
        _erasure(client)


def _holders(client: Client) -> None:
    put = client.holders.put(HolderChange(external_id=ODD, tier="gold", email="o@example.org"))
    assert put.external_id == ODD
    read = client.holders.get(ODD)
    assert (read.tier, read.email) == ("gold", "o@example.org")
    assert read.etag
    client.holders.put(HolderChange(external_id=ODD, tier="iron"), if_match=read.etag)
    with pytest.raises(Conflict) as moved:
        client.holders.put(HolderChange(external_id=ODD, tier="tin"), if_match=read.etag)
    assert moved.value.code == "precondition_failed"
    [past] = client.holders.changes(ODD)
    assert (past.tier, past.actor) == ("gold", "api:tests")
    many = [
        HolderChange(external_id="ben"),
        HolderChange(external_id="ada", time_zone="Mars/Olympus"),
        HolderChange(external_id="bulk"),
    ]
    done = client.holders.bulk(many, reason="nightly")
    assert [one.outcome for one in done] == ["created", "refused", "created"]
    assert client.holders.get("bulk").external_id == "bulk"
    assert [one.external_id for one in client.holders.all(page_size=1)] == [ODD, "ben", "bulk"]
    seen = client.holders.logins({ODD: datetime(2026, 1, 2, tzinfo=UTC), "zoe": datetime.now(UTC)})
    assert (seen.noted, seen.unknown) == (1, ["zoe"])
    assert not client.holders.unique().email
    assert client.holders.set_unique(email=True, reason="one each").email
    with pytest.raises(Rejected):
        client.holders.put(HolderChange(external_id="ben", email="O@example.org"))


def _holds(client: Client) -> None:
    client.postings.credit(ODD, "coins", 100, reference="gift")
    deadline = datetime.now(UTC) + timedelta(hours=1)
    hold = client.holds.place(ODD, "coins", 30, reference="seat/1", deadline=deadline)
    assert [one.reference for one in client.holds.all(ODD, "coins")] == ["seat/1"]
    with pytest.raises(InsufficientFunds) as short:
        client.holds.place(ODD, "coins", 71)
    assert short.value.available == 70
    assert hold.capture(10, keep_rest=True).entry.amount == -10
    client.holds.release(ODD, "coins", "seat/1", reference="back")
    again = client.holds.release(ODD, "coins", "seat/1", reference="back")
    assert again.status == "replayed"
    assert [one.balance for one in client.wallets.of(ODD)] == [90]
    at = datetime.now(UTC) + timedelta(minutes=1)
    assert client.wallets.balance_at(ODD, "coins", at=at) == 90
    assert client.wallets.explain(ODD, "coins").recorded == 90
    assert sum(one.amount for one in client.wallets.totals(ODD, "coins")) == 90
    assert [e.kind for e in client.wallets.entries(ODD, "coins", kind="capture")] == ["capture"]


def _keys(client: Client, url: str) -> None:
    made = client.keys.add("shop", owner="shop", scopes=["ingest"], reason="it opens")
    with Client(url, made.secret) as shop:
        assert shop.keys.who_am_i().actor == "api:shop"
        with pytest.raises(Denied):
            shop.keys.all()
        new = client.keys.rotate(made.key.key_id, overlap_s=600, reason="each quarter")
        assert shop.keys.who_am_i().key_id == made.key.key_id
        with Client(url, new.secret) as again:
            assert again.tokens.issue("ben").text
            revoked = client.keys.revoke(made.key.key_id, reason="lost")
            assert revoked.revoked_at is not None
            for one in (shop, again):
                with pytest.raises(Denied) as over:
                    one.keys.who_am_i()
                assert over.value.code == "credential_invalid"
    assert made.key.key_id not in [one.key_id for one in client.keys.all()]


def _one_s_own(client: Client, url: str) -> None:
    with Client(url, client.tokens.issue(ODD, ttl_s=60).text) as mine:
        assert mine.me.get().holder == ODD
        assert [one.balance for one in mine.me.wallets()] == [90]
        assert mine.me.wallet("coins").holder == ODD
        assert mine.me.claim("daily").awarded == 5
        assert mine.me.claim("daily").already
        assert [one.added for one in mine.me.grants()] == [5]
        assert [one.program for one in mine.me.next_grants()] == ["daily"]
        assert len(list(mine.me.entries("coins", page_size=2))) == 5
        with pytest.raises(Denied):
            mine.wallets.get(ODD, "coins")
        with pytest.raises(Denied):
            mine.postings.credit(ODD, "coins", 1)
    assert [one.added for one in client.holders.grants(ODD, program="daily")] == [5]
    assert [one.program for one in client.holders.next_grants(ODD)] == ["daily"]


def _erasure(client: Client) -> None:
    with pytest.raises(Rejected) as refused:
        client.holders.erase(ODD, reason="asked")
    assert refused.value.code == "holder_has_credit"
    erased = client.holders.erase(ODD, reason="asked", with_credit=True)
    assert (erased.email, erased.erased_at is None) == (None, False)
    with pytest.raises(Missing):
        client.holders.get(ODD)
    assert client.wallets.get(erased.external_id, "coins").balance == 95
