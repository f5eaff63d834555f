"""Endpoints are added, changed and removed with an act each, and never tell a secret twice (N3)."""

import asyncio
import logging
import re
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from bursar.ledger import Ledger
from bursar.notices.model import Kind
from bursar.notices.webhooks.model import Endpoint, EndpointState, mark_of
from bursar.notices.webhooks.service import Endpoints
from bursar.platform.errors import Broken, Conflict, Invalid, Missing, Rejected
from bursar.platform.sealing import Seal, new_key
from bursar.trail import Act, Trail
from tests.notices.webhooks.conftest import WHO

URL = "https://hooks.example/in?token=t0psecret"


async def acts(ledger: Ledger) -> list[Act]:
    return [*reversed((await Trail(ledger.database).acts()).items)]


async def rows(ledger: Ledger, statement: str) -> list[Any]:
    async with ledger.database.connection() as connection:
        return await (await connection.execute(statement)).fetchall()


async def test_an_endpoint_is_added_with_a_secret_of_its_own(endpoints: Endpoints) -> None:
    endpoint, secret = await endpoints.add(URL, ["reminder", "deposit"], "the shop", **WHO)
    other, other_secret = await endpoints.add("https://two.example", **WHO)
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", secret)
    assert other_secret != secret
    assert endpoint.url == URL
    assert endpoint.kinds == (Kind.DEPOSIT, Kind.REMINDER)
    assert (endpoint.state, endpoint.why, endpoint.old_until) == (EndpointState.ON, "", None)
    assert other.kinds == ()
    assert await endpoints.list() == [endpoint, other]
    assert await endpoints.get(endpoint.endpoint_id) == endpoint


async def test_a_secret_is_nowhere_in_clear(
    endpoints: Endpoints, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = await endpoints.add(URL, **WHO)
    new = await endpoints.rotate(made.endpoint.endpoint_id, **WHO)
    [row] = await rows(ledger, "select w::text, secret, old_secret from bursar.webhook_endpoints w")
    kept = row[0].encode() + bytes(row[1]) + bytes(row[2])
    told = msgspec.json.encode(await acts(ledger)) + caplog.text.encode()
    for secret in (made.secret, new.secret):
        for place in (kept, told, repr(made).encode(), repr(new).encode()):
            assert secret.encode() not in place
            assert secret.removeprefix("whsec_").encode() not in place
            assert secret.encode().hex().encode() not in place
    assert b"t0psecret" not in told


async def test_each_deed_leaves_an_act_and_what_changes_nothing_none(
    endpoints: Endpoints, ledger: Ledger
) -> None:
    endpoint, _ = await endpoints.add(URL, **WHO)
    number = endpoint.endpoint_id
    await endpoints.change(number, on=True, url=URL, description="", kinds=[], **WHO)
    await endpoints.change(number, on=False, kinds=["deposit"], **WHO)
    await endpoints.rotate(number, **WHO)
    await endpoints.remove(number, **WHO)
    await endpoints.remove(number, **WHO)
    left = await acts(ledger)
    assert [act.act for act in left] == [
        "webhook.add", "webhook.change", "webhook.rotate", "webhook.remove",
    ]  # fmt: skip
    assert {(act.subject, act.actor, act.reason) for act in left} == {
        ("webhook_1", "cli:ann", "as agreed")
    }
    assert left[0].before is None
    assert left[0].after is not None
    assert left[0].after["url"] == "https://hooks.example/in"
    assert left[1].before is not None
    assert left[1].after is not None
    assert (left[1].before["state"], left[1].after["state"]) == ("on", "off")
    assert left[1].after["kinds"] == ["deposit"]
    assert left[3].after is None


BAD: list[tuple[dict[str, Any], str]] = [
    ({"url": "http://8.8.8.8/"}, "webhook_url"),
    ({"url": "https://10.0.0.1/"}, "webhook_url"),
    ({"url": "https://ann:pw@hooks.example"}, "webhook_url"),
    ({"kinds": ["deposits"]}, "webhook_invalid"),
    ({"kinds": "deposits"}, "webhook_invalid"),
    ({"kinds": [7]}, "webhook_invalid"),
    ({"description": "x" * 501}, "webhook_invalid"),
    ({"description": "a\nb"}, "webhook_invalid"),
    ({"actor": ""}, "posting_voice"),
    ({"reason": "a\nb"}, "posting_voice"),
]


@pytest.mark.parametrize(("change", "code"), BAD, ids=str)
async def test_a_malformed_endpoint_is_neither_added_nor_changed(
    endpoints: Endpoints, ledger: Ledger, change: dict[str, Any], code: str
) -> None:
    there, _ = await endpoints.add(URL, **WHO)
    with pytest.raises(Invalid) as caught:
        await endpoints.add(**({"url": "https://two.example"} | WHO | change))
    assert caught.value.code == code
    with pytest.raises(Invalid) as caught:
        await endpoints.change(there.endpoint_id, **(WHO | change))
    assert caught.value.code == code
    assert await endpoints.list() == [there]
    assert len(await acts(ledger)) == 1


@pytest.mark.parametrize("number", [0, 2, -1, 2**31, 2**70, True, "1"])
async def test_an_endpoint_that_there_is_not_is_missing(endpoints: Endpoints, number: Any) -> None:
    await endpoints.add(URL, **WHO)
    for deed in (
        endpoints.get(number),
        endpoints.change(number, on=False, **WHO),
        endpoints.rotate(number, **WHO),
        endpoints.remove(number, **WHO),
    ):
        with pytest.raises(Missing) as caught:
            await deed
        assert caught.value.code == "webhook_unknown"


async def test_the_same_url_twice_is_a_conflict_however_it_is_spelled(endpoints: Endpoints) -> None:
    first, _ = await endpoints.add("https://hooks.example/", **WHO)
    second, _ = await endpoints.add("https://two.example", **WHO)
    with pytest.raises(Conflict) as caught:
        await endpoints.add("HTTPS://Hooks.Example:443", **WHO)
    assert caught.value.code == "webhook_exists"
    assert caught.value.fields == {"endpoint": first.endpoint_id}
    with pytest.raises(Conflict):
        await endpoints.change(second.endpoint_id, url="https://hooks.example", **WHO)
    await endpoints.remove(first.endpoint_id, **WHO)
    await endpoints.add("https://hooks.example", **WHO)


async def test_of_many_who_add_the_same_at_once_one_has(endpoints: Endpoints) -> None:
    asked = [endpoints.add(URL, **WHO) for _ in range(6)]
    got = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(one, Conflict) for one in got) == 5
    assert len(await endpoints.list()) == 1


async def test_there_are_a_hundred_endpoints_at_most(endpoints: Endpoints, ledger: Ledger) -> None:
    async with ledger.database.connection() as connection:
        await connection.execute(
            "insert into bursar.webhook_endpoints"
            " (url, description, kinds, secret, made_at, changed_at, state)"
            " select 'https://e' || n || '.example/', '', '{}', '', now(), now(), 'on'"
            "   from generate_series(1, 100) n"
        )
    with pytest.raises(Rejected) as caught:
        await endpoints.add(URL, **WHO)
    assert caught.value.code == "webhooks_full"
    await endpoints.remove(1, **WHO)
    await endpoints.add(URL, **WHO)


async def test_a_change_leaves_what_it_does_not_name(endpoints: Endpoints) -> None:
    before, _ = await endpoints.add(URL, ["deposit"], "the shop", **WHO)
    after = await endpoints.change(before.endpoint_id, description="the new shop", **WHO)
    assert after.changed_at > before.changed_at
    assert after == msgspec.structs.replace(
        before, description="the new shop", changed_at=after.changed_at
    )


async def test_only_what_was_seen_is_changed_if_that_is_asked(endpoints: Endpoints) -> None:
    seen, _ = await endpoints.add(URL, **WHO)
    now = await endpoints.change(seen.endpoint_id, on=False, expect=mark_of(seen), **WHO)
    assert (now.state, now.why) == (EndpointState.OFF, "operator")
    with pytest.raises(Conflict) as caught:
        await endpoints.change(seen.endpoint_id, on=True, expect=mark_of(seen), **WHO)
    assert caught.value.code == "webhook_moved"
    again = await endpoints.change(seen.endpoint_id, on=True, expect=mark_of(now), **WHO)
    assert (again.state, again.why) == (EndpointState.ON, "")


async def test_rotating_keeps_the_old_secret_as_long_as_is_said(
    endpoints: Endpoints, ledger: Ledger, seal: Seal
) -> None:
    made = await endpoints.add(URL, **WHO)
    new = await endpoints.rotate(made.endpoint.endpoint_id, 48, **WHO)
    assert new.secret != made.secret
    assert new.endpoint.old_until == new.endpoint.changed_at + timedelta(hours=48)
    [row] = await rows(ledger, "select secret, old_secret from bursar.webhook_endpoints")
    assert [seal.open(bytes(one)).decode() for one in row] == [new.secret, made.secret]
    newest = await endpoints.rotate(made.endpoint.endpoint_id, 0, **WHO)
    assert newest.endpoint.old_until is None
    [row] = await rows(ledger, "select secret, old_secret from bursar.webhook_endpoints")
    assert (seal.open(bytes(row[0])).decode(), row[1]) == (newest.secret, None)


@pytest.mark.parametrize("hours", [-1, 721, 1.5, "24", True])
async def test_an_overlap_that_is_none_is_refused(endpoints: Endpoints, hours: Any) -> None:
    made, _ = await endpoints.add(URL, **WHO)
    with pytest.raises(Invalid) as caught:
        await endpoints.rotate(made.endpoint_id, hours, **WHO)
    assert caught.value.code == "overlap"


async def test_with_another_key_an_old_secret_cannot_be_kept_but_can_be_replaced(
    endpoints: Endpoints, ledger: Ledger
) -> None:
    made, _ = await endpoints.add(URL, **WHO)
    stranger = Endpoints(ledger.database, Seal((new_key(),)))
    with pytest.raises(Broken) as caught:
        await stranger.rotate(made.endpoint_id, **WHO)
    assert caught.value.code == "secret_unreadable"
    assert await endpoints.get(made.endpoint_id) == made
    assert (await stranger.rotate(made.endpoint_id, 0, **WHO)).secret


async def test_secrets_are_sealed_anew_and_stay_what_they_are(
    endpoints: Endpoints, ledger: Ledger, seal: Seal, key: str
) -> None:
    made = await endpoints.add(URL, **WHO)
    turned = await endpoints.rotate(made.endpoint.endpoint_id, 48, **WHO)
    gone = await endpoints.add(URL + "/other", **WHO)
    await endpoints.remove(gone.endpoint.endpoint_id, **WHO)
    new = new_key()
    both = Endpoints(ledger.database, Seal((new, key)))
    assert await both.reseal(**WHO) == 1
    sealed = "select secret, old_secret from bursar.webhook_endpoints where removed_at is null"
    [row] = await rows(ledger, sealed)
    alone = Seal((new,))
    assert [alone.open(bytes(one)).decode() for one in row] == [turned.secret, made.secret]
    with pytest.raises(Broken):
        seal.open(bytes(row[0]))
    assert await both.get(made.endpoint.endpoint_id) == turned.endpoint, "nobody notices"
    assert await Endpoints(ledger.database, alone).reseal(**WHO) == 1


async def test_a_secret_that_cannot_be_read_leaves_all_as_they_are(
    endpoints: Endpoints, ledger: Ledger, key: str
) -> None:
    await endpoints.add(URL, **WHO)
    stranger = Seal((new_key(),))
    await Endpoints(ledger.database, stranger).add(URL + "/other", **WHO)
    sealed = "select secret, old_secret from bursar.webhook_endpoints order by endpoint_id"
    before = await rows(ledger, sealed)
    with pytest.raises(Broken, match=r"^webhook_2: a secret is damaged") as caught:
        await Endpoints(ledger.database, Seal((new_key(), key))).reseal(**WHO)
    assert (caught.value.code, caught.value.fields["endpoint"]) == ("secret_unreadable", 2)
    assert await rows(ledger, sealed) == before


async def test_a_secret_that_signs_no_more_is_no_hindrance_though_its_key_is_lost(
    endpoints: Endpoints, ledger: Ledger
) -> None:
    made = await endpoints.add(URL, **WHO)
    await endpoints.rotate(made.endpoint.endpoint_id, 1, **WHO)
    key, newer = new_key(), new_key()
    sealed = Seal((key,)).seal(b"whsec_of-now")
    async with ledger.database.connection() as connection:
        await connection.execute(
            "update bursar.webhook_endpoints"
            "   set secret = %s, old_until = now() - interval '1 hour'",
            (sealed,),
        )
    assert await Endpoints(ledger.database, Seal((newer, key))).reseal(**WHO) == 1
    [row] = await rows(ledger, "select secret, old_secret, old_until from bursar.webhook_endpoints")
    assert Seal((newer,)).open(bytes(row[0])) == b"whsec_of-now"
    assert row[1:] == (None, None)


async def _deliveries(ledger: Ledger, endpoint: Endpoint, count: int, first: int) -> None:
    async with ledger.database.connection() as connection:
        await connection.execute(
            "insert into bursar.deliveries (notice_id, endpoint_id, happened_at, made_at, due_at,"
            " ended_at, channel, kind, state, data)"
            " select gen_random_uuid(), %s, now(), now(), now(),"
            "        case when n %% 2 = 0 then now() end, 'webhook', 'deposit',"
            "        case when n %% 2 = 0 then 'sent' else 'waiting' end, '{}'"
            "   from generate_series(%s::int, %s) n",
            (endpoint.endpoint_id, first, first + count - 1),
        )


async def test_what_waits_for_a_removed_endpoint_is_dropped_and_nothing_else(
    endpoints: Endpoints, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bursar.notices.webhooks.service._SLICE", 3)
    gone, _ = await endpoints.add(URL, **WHO)
    stays, _ = await endpoints.add("https://two.example", **WHO)
    await _deliveries(ledger, gone, 20, 1)
    await _deliveries(ledger, stays, 2, 1)
    assert await endpoints.remove(gone.endpoint_id, **WHO) == 10
    found = await rows(
        ledger,
        "select endpoint_id, state, note, ended_at is null, count(*) from bursar.deliveries"
        " group by 1, 2, 3, 4 order by 1, 2",
    )
    assert found == [
        (1, "dropped", "endpoint_removed", False, 10),
        (1, "sent", "", False, 10),
        (2, "sent", "", False, 1),
        (2, "waiting", "", True, 1),
    ]
    assert await endpoints.list() == [stays]
    [row] = await rows(
        ledger,
        "select secret, old_secret, state from bursar.webhook_endpoints where endpoint_id = 1",
    )
    assert row == (b"", None, "off")
    await _deliveries(ledger, gone, 2, 1)  # made by whoever had still seen it
    assert await endpoints.remove(gone.endpoint_id, **WHO) == 1
