"""The client's calls about notices, on a real database, and a real server to listen to (N1, I5)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bursar.api.services import Services
from bursar.client import AsyncClient, Client, Conflict, Denied, Missing, Notice, Quiet, Unread
from bursar.notices.model import Kind
from bursar.platform.sealing import new_key
from bursar.platform.settings import load_settings
from tests.api.told import WHO, give, tell
from tests.client.conftest import HERE
from tests.support.serving import add_key, serving

WHY = {"reason": "as agreed"}


@pytest.fixture
async def services(database: Any) -> AsyncIterator[Services]:
    """The capabilities of an economy whose holders are told things, with a key for secrets."""
    opened = await Services.open(database.url, load_settings({"BURSAR_SECRETS_KEY": new_key()}))
    await opened.ledger.add_asset("coins", **WHO)
    await tell(opened)
    yield opened
    await opened.close()


@pytest.fixture
async def maria(client: AsyncClient, transport: Any) -> AsyncIterator[AsyncClient]:
    """A client with a token of maria's."""
    token = (await client.tokens.issue("maria")).text
    async with AsyncClient(HERE, token, transport=transport) as maria:
        yield maria


async def test_an_inbox_is_listed_read_and_tidied(
    services: Services, client: AsyncClient, maria: AsyncClient
) -> None:
    await give(services, "maria", 50, 60, 70)
    assert await maria.inbox.unread() == 3
    newest, middle, oldest = [one async for one in maria.inbox.all(page_size=2)]
    assert (newest.title, newest.data["amount"]) == ("You have received 70 coins", 70)
    assert (await maria.inbox.read(oldest.id)).read_at is not None
    assert await maria.inbox.read_all(up_to=middle.place) == 1
    assert [one.id async for one in maria.inbox.all(unread=True)] == [newest.id]
    await maria.inbox.dismiss(newest.id)
    assert [one.id async for one in client.notices.inbox("maria")] == [middle.id, oldest.id]
    with pytest.raises(Missing):
        await maria.inbox.read(newest.id)


async def test_wishes_are_changed_on_what_was_read(client: AsyncClient, maria: AsyncClient) -> None:
    read = await maria.inbox.preferences()
    night = Quiet("22:00", "07:00")
    changed = await maria.inbox.change_preferences(
        choices={"deposit": {"email": False}}, quiet=night, if_match=read.etag
    )
    assert (changed.kinds["deposit"], changed.quiet) == ({"inbox": True, "email": False}, night)
    with pytest.raises(Conflict):
        await client.notices.change_preferences("maria", quiet=None, if_match=read.etag, **WHY)
    back = await client.notices.change_preferences(
        "maria", choices={"deposit": {"email": None}}, **WHY
    )
    assert (back.chosen, back.own_quiet) == ({}, True)
    assert (await client.notices.change_preferences("maria", quiet=None, **WHY)).quiet is None
    assert await client.notices.preferences("maria") == await maria.inbox.preferences()


async def test_texts_and_settings_are_shown(client: AsyncClient) -> None:
    assert [one.kind for one in await client.notices.kinds()] == list(Kind)
    assert (await client.notices.settings()).send == ["deposit", "low_balance"]
    assert "Guthaben" in (await client.notices.preview("deposit", language="de")).text
    assert await client.notices.check_templates() == []


async def test_a_webhook_lives_and_what_waits_for_it_is_seen(
    services: Services, client: AsyncClient
) -> None:
    made = await client.webhooks.add("https://app.example.org/hook", kinds=["deposit"], **WHY)
    assert made.secret not in repr(made)
    number = made.webhook.webhook_id
    await give(services, "maria", 50)
    await services.notices.maker.make_all_due()
    [waiting] = [one async for one in client.deliveries.all(webhook=number, state="waiting")]
    assert (await client.deliveries.get(waiting.delivery_id)).delivery == waiting
    await client.deliveries.replay(waiting.delivery_id, **WHY)
    assert await client.deliveries.release("webhook", **WHY) == 0
    assert await client.webhooks.reseal(**WHY) == 1
    first, last = datetime(2020, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC)
    assert await client.webhooks.replay(number, first, last, **WHY) == 0
    assert await client.deliveries.replay_mail(first, last, states=["sent"], **WHY) == 0
    shown = await client.webhooks.get(number)
    off = await client.webhooks.change(number, on=False, if_match=shown.etag, **WHY)
    assert (off.on, off.why, off.kinds) == (False, "operator", ["deposit"])
    with pytest.raises(Conflict):
        await client.webhooks.change(number, on=True, if_match=shown.etag, **WHY)
    assert (await client.webhooks.rotate(number, **WHY)).secret != made.secret
    assert await client.webhooks.remove(number, **WHY) == 1
    assert await client.webhooks.all() == []
    assert [one async for one in client.dispatches.all()] == []
    with pytest.raises(Missing):
        await client.dispatches.pause(1, **WHY)


async def test_addresses_that_are_blocked_are_cleared(
    services: Services, client: AsyncClient
) -> None:
    number = await services.notices.inboxes.number_of("maria")
    await services.notices.bounces.keep("a@b.example", holder_id=number, status=550, detail="no")
    assert [one.holder async for one in client.notices.bounces()] == ["maria"]
    assert await client.notices.clear_bounces("maria", **WHY) == 1
    with pytest.raises(Missing):
        await client.notices.clear_bounces("maria", **WHY)


async def test_what_comes_is_heard_from_a_real_server_and_where_it_was_left(
    services: Services, database: Any, tmp_path: Path
) -> None:
    """As items of the inbox's page, until the token has expired."""
    key = await add_key(database.url, "ingest")
    token = (await services.access.issue_token("maria", actor="test", ttl_s=900)).text
    with serving(database.url, key, tmp_path / "log") as port:
        url = f"http://127.0.0.1:{port}"
        async with AsyncClient(url, token) as maria:
            listening = maria.inbox.events()
            events = aiter(listening)
            assert await anext(events) == Unread(unread=0)
            await give(services, "maria", 50)
            told = await anext(events)
            assert isinstance(told, Notice)
            assert [told] == [one async for one in maria.inbox.all()]
            assert listening.last == told.place
            await events.aclose()  # type: ignore[attr-defined]
            await maria.inbox.read_all()
        with Client(url, token) as blocking:
            events_again = iter(blocking.inbox.events(after=0))
            assert next(events_again) == Unread(unread=0)
            heard = next(events_again)
            assert isinstance(heard, Notice)
            assert (heard.id, heard.read_at is None) == (told.id, False)
            events_again.close()  # type: ignore[attr-defined]
        short = (await services.access.issue_token("maria", actor="test", ttl_s=1)).text
        with Client(url, short) as blocking, pytest.raises(Denied) as caught:
            list(blocking.inbox.events())
        assert caught.value.code == "token_expired"
