"""A holder's own inbox and wishes over HTTP (N1, N5)."""

from collections.abc import Callable
from datetime import time
from typing import Any

import httpx
import msgspec
import pytest

from bursar.api.services import Services
from bursar.api.wire.notices import NoticeKind
from bursar.ledger import Credit
from bursar.notices.model import Kind, QuietHours
from bursar.trail.model import Wanted
from tests.api.clubs import said
from tests.api.conftest import Headers, problem
from tests.api.told import TOLD, WHO, at_once, give, tell

INBOX = "/v1/me/inbox"
WISHES = "/v1/me/notice-preferences"
AsHolder = Callable[[str], Headers]


@pytest.fixture
def maria(as_holder: AsHolder) -> Headers:
    return as_holder("maria")


async def items(api: httpx.AsyncClient, headers: Headers, **query: Any) -> list[dict[str, Any]]:
    return said(await api.get(INBOX, params=query, headers=headers))["items"]


def test_the_wire_has_every_kind_of_notice() -> None:
    assert [(kind.name, kind.value) for kind in NoticeKind] == [(k.name, k.value) for k in Kind]


# --- the inbox --------------------------------------------------------------------------------


async def test_what_was_given_is_in_the_inbox_in_words_and_for_programs(
    api: httpx.AsyncClient, services: Services, maria: Headers
) -> None:
    await tell(services)
    await give(services, "maria", 1_250)
    [item] = await items(api, maria)
    assert item["title"] == "You have received 1,250 coins"
    assert item["text"] == "Your balance is now 1,250 coins."
    assert (item["kind"], item["read_at"], item["place"] > 0) == ("deposit", None, True)
    assert item["data"] | {"amount": 1_250, "balance": 1_250, "reference": "gift-1"} == item["data"]
    assert set(item) == {
        "id", "kind", "title", "text", "data", "happened_at", "made_at", "read_at", "place",
    }  # fmt: skip


async def test_it_is_said_in_the_language_of_the_holder(
    api: httpx.AsyncClient, services: Services, maria: Headers
) -> None:
    await tell(services, maria="de-DE")
    await give(services, "maria", 1_250)
    [item] = await items(api, maria)
    assert "1.250 coins" in item["title"]
    assert "received" not in item["title"]


async def test_each_sees_their_own_inbox_alone(
    api: httpx.AsyncClient, services: Services, as_holder: AsHolder
) -> None:
    await tell(services, maria="en", ben="en")
    await give(services, "maria", 5)
    [item] = await items(api, as_holder("maria"))
    assert await items(api, as_holder("ben")) == []
    for answer in (
        await api.post(f"{INBOX}/{item['id']}/read", headers=as_holder("ben")),
        await api.delete(f"{INBOX}/{item['id']}", headers=as_holder("ben")),
    ):
        assert problem(answer, 404) == "notice_unknown"
    assert [one["read_at"] for one in await items(api, as_holder("maria"))] == [None]


async def test_a_long_page_is_whole_and_in_order(
    api: httpx.AsyncClient, services: Services, maria: Headers
) -> None:
    await tell(services)
    gifts = [
        Credit(holder="maria", asset="coins", amount=amount, reference=f"gift-{amount}")
        for amount in range(1, 252)
    ]
    await services.ledger.post(gifts, **WHO)
    shown = await items(api, maria, limit=1_000)
    assert [item["data"]["amount"] for item in shown] == [*range(251, 0, -1)]
    assert all(f"received {item['data']['amount']} coins" in item["title"] for item in shown)


async def test_pages_follow_each_other_the_newest_first(
    api: httpx.AsyncClient, services: Services, maria: Headers
) -> None:
    await tell(services)
    await give(services, "maria", 1, 2, 3, 4, 5)
    amounts: list[int] = []
    cursor: dict[str, Any] = {}
    while True:
        page = said(await api.get(INBOX, params={"limit": 2, **cursor}, headers=maria))
        amounts += [item["data"]["amount"] for item in page["items"]]
        if page["cursor"] is None:
            break
        cursor = {"cursor": page["cursor"]}
    assert amounts == [5, 4, 3, 2, 1]


async def test_a_notice_that_was_read_is_read_since_the_first_time(
    api: httpx.AsyncClient, services: Services, maria: Headers
) -> None:
    await tell(services)
    await give(services, "maria", 1, 2)
    assert said(await api.get(f"{INBOX}/unread", headers=maria)) == {"unread": 2}
    newest, older = await items(api, maria)
    shown = said(await api.post(f"{INBOX}/{older['id']}/read", headers=maria))
    assert shown["read_at"] is not None
    assert shown | {"read_at": None} == older
    assert said(await api.post(f"{INBOX}/{older['id']}/read", headers=maria)) == shown
    assert said(await api.get(f"{INBOX}/unread", headers=maria)) == {"unread": 1}
    assert [one["id"] for one in await items(api, maria, unread=True)] == [newest["id"]]


async def test_reading_what_was_shown_leaves_what_came_meanwhile(
    api: httpx.AsyncClient, services: Services, maria: Headers
) -> None:
    await tell(services)
    await give(services, "maria", 1, 2, 3)
    shown = (await items(api, maria))[1]
    body = {"up_to": shown["place"]}
    assert said(await api.post(f"{INBOX}/read", json=body, headers=maria)) == {"read": 2}
    assert said(await api.post(f"{INBOX}/read", json=body, headers=maria)) == {"read": 0}
    [left] = await items(api, maria, unread=True)
    assert left["data"]["amount"] == 3
    assert said(await api.post(f"{INBOX}/read", json={}, headers=maria)) == {"read": 1}


async def test_a_notice_that_is_dismissed_is_gone_and_again_is_no_error(
    api: httpx.AsyncClient, services: Services, maria: Headers
) -> None:
    await tell(services)
    await give(services, "maria", 1, 2)
    newest, older = await items(api, maria)
    for _ in range(2):
        answer = await api.delete(f"{INBOX}/{newest['id']}", headers=maria)
        assert (answer.status_code, answer.content) == (204, b"")
    assert [one["id"] for one in await items(api, maria)] == [older["id"]]
    read = await api.post(f"{INBOX}/{newest['id']}/read", headers=maria)
    assert problem(read, 404) == "notice_unknown"


async def test_many_looks_at_once_find_the_same(
    api: httpx.AsyncClient, services: Services, maria: Headers
) -> None:
    await tell(services)
    await give(services, "maria", *range(1, 8))
    looks = await at_once(*(items(api, maria) for _ in range(8)))
    assert all(look == looks[0] for look in looks)
    assert len(looks[0]) == 7


async def test_a_template_that_fails_is_not_shown_to_a_holder(
    api: httpx.AsyncClient, services: Services, maria: Headers, tmp_path: Any
) -> None:
    from bursar.notices.mail.render import Texts

    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "deposit.txt").write_text("{{ 1 / 0 }}")
    services.notices.texts = Texts(tmp_path)
    await tell(services)
    await give(services, "maria", 5)
    assert [item["title"] for item in await items(api, maria)] == ["You have received 5 coins"]


@pytest.mark.parametrize("method", ["get", "unread", "read", "stream", "wishes"])
async def test_a_token_of_nobody_who_is_here_is_told_so(
    api: httpx.AsyncClient, as_holder: AsHolder, method: str
) -> None:
    headers = as_holder("nobody")
    answer = {
        "get": lambda: api.get(INBOX, headers=headers),
        "unread": lambda: api.get(f"{INBOX}/unread", headers=headers),
        "read": lambda: api.post(f"{INBOX}/read", json={}, headers=headers),
        "stream": lambda: api.get(f"{INBOX}/events", headers=headers),
        "wishes": lambda: api.get(WISHES, headers=headers),
    }[method]
    assert problem(await answer(), 404) == "holder_unknown"


@pytest.mark.parametrize("notice", ["x", "0" * 32, "a" * 5_000, "%2e%2e", "é", "1%27%3b--"])
async def test_what_is_no_notice_is_missing(
    api: httpx.AsyncClient, services: Services, maria: Headers, notice: str
) -> None:
    await tell(services)
    assert problem(await api.post(f"{INBOX}/{notice}/read", headers=maria), 404) == "notice_unknown"
    assert problem(await api.delete(f"{INBOX}/{notice}", headers=maria), 404) == "notice_unknown"


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "cursor=x", f"cursor={10**30}", "unread=perhaps"]
)
async def test_a_page_that_is_none_is_refused(
    api: httpx.AsyncClient, services: Services, maria: Headers, query: str
) -> None:
    await tell(services)
    assert problem(await api.get(f"{INBOX}?{query}", headers=maria), 400)


@pytest.mark.parametrize("body", [{"up_to": 0}, {"up_to": 2**63}, {"up_to": "1"}, {"upto": 1}, []])
async def test_a_place_that_is_none_reads_nothing(
    api: httpx.AsyncClient, services: Services, maria: Headers, body: Any
) -> None:
    await tell(services)
    await give(services, "maria", 1)
    answer = await api.post(f"{INBOX}/read", json=body, headers=maria)
    assert problem(answer, 400) == "request_invalid"
    assert said(await api.get(f"{INBOX}/unread", headers=maria)) == {"unread": 1}


# --- what is wished ---------------------------------------------------------------------------


async def test_a_holder_who_wished_nothing_has_the_economys_defaults(
    api: httpx.AsyncClient, services: Services, maria: Headers
) -> None:
    quiet = QuietHours(time(22), time(7, 30))
    settings = msgspec.structs.replace(TOLD, quiet=quiet, by_kind={Kind.REMINDER: ("email",)})
    await tell(services, settings)
    answer = await api.get(WISHES, headers=maria)
    found = said(answer)
    assert answer.headers["etag"] == '"0"'
    assert found["kinds"]["deposit"] == {"inbox": True, "email": True}
    assert found["kinds"]["reminder"] == {"inbox": False, "email": True}
    assert "operator_alert" not in found["kinds"]
    assert (found["chosen"], found["own_quiet"]) == ({}, False)
    assert found["quiet"] == {"from": "22:00", "until": "07:30"}


async def test_a_wish_holds_for_what_comes_and_null_takes_it_back(
    api: httpx.AsyncClient, services: Services, maria: Headers
) -> None:
    await tell(services)
    wish = {"choices": {"deposit": {"inbox": False}, "low_balance": {"email": False}}}
    answer = await api.patch(WISHES, json=wish, headers=maria)
    found = said(answer)
    assert found["kinds"]["deposit"] == {"inbox": False, "email": True}
    assert found["chosen"] == {"deposit": {"inbox": False}, "low_balance": {"email": False}}
    assert answer.headers["etag"] == '"1"'
    await give(services, "maria", 5)
    assert await items(api, maria) == []
    back = {"choices": {"deposit": {"inbox": None}}}
    found = said(await api.patch(WISHES, json=back, headers=maria))
    assert found["chosen"] == {"low_balance": {"email": False}}
    assert said(await api.get(WISHES, headers=maria)) == found


async def test_quiet_hours_are_set_left_and_given_back(
    api: httpx.AsyncClient, services: Services, maria: Headers
) -> None:
    await tell(services)
    own = {"from": "21:15", "until": "06:00"}
    found = said(await api.patch(WISHES, json={"quiet": own}, headers=maria))
    assert (found["quiet"], found["own_quiet"]) == (own, True)
    found = said(await api.patch(WISHES, json={}, headers=maria))
    assert (found["quiet"], found["own_quiet"]) == (own, True)
    found = said(await api.patch(WISHES, json={"quiet": None}, headers=maria))
    assert (found["quiet"], found["own_quiet"]) == (None, False)


async def test_a_change_made_on_something_older_is_refused(
    api: httpx.AsyncClient, services: Services, maria: Headers
) -> None:
    await tell(services)
    read = (await api.get(WISHES, headers=maria)).headers["etag"]
    wish = {"choices": {"deposit": {"email": False}}}
    first = await api.patch(WISHES, json=wish, headers=maria | {"if-match": read})
    assert first.status_code == 200
    other = {"choices": {"deposit": {"email": True}}}
    for tag in (read, '"nonsense"', '"' + "9" * 40 + '"', '"²"'):
        named = {name.encode(): text.encode("latin-1") for name, text in maria.items()}
        named[b"if-match"] = tag.encode("latin-1")
        late = await api.patch(WISHES, json=other, headers=named)
        assert problem(late, 412) == "precondition_failed", tag
    known = maria | {"if-match": first.headers["etag"]}
    assert (await api.patch(WISHES, json=other, headers=known)).status_code == 200


async def test_a_wish_is_in_the_audit_trail(
    api: httpx.AsyncClient, services: Services, maria: Headers
) -> None:
    await tell(services)
    said(
        await api.patch(WISHES, json={"quiet": {"from": "21:15", "until": "06:00"}}, headers=maria)
    )
    [act] = (await services.trail.acts(Wanted(act="preferences.change"))).items
    assert (act.actor, act.subject) == ("api:holder", "holder_1")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"choices": {"operator_alert": {"email": False}}}, "preference_invalid"),
        ({"choices": {"party": {"email": False}}}, "request_invalid"),
        ({"choices": {"deposit": {"webhook": False}}}, "request_invalid"),
        ({"choices": {"deposit": {"email": 0}}}, "request_invalid"),
        ({"choices": {"deposit": None}}, "request_invalid"),
        ({"quiet": {"from": "22:00"}}, "request_invalid"),
        ({"quiet": {"from": "24:00", "until": "07:00"}}, "request_invalid"),
        ({"quiet": {"from": "22:00Z", "until": "07:00"}}, "request_invalid"),
        ({"quiet": {"from": "22:00\n", "until": "07:00"}}, "request_invalid"),
        ({"quiet": {"start": "22:00", "until": "07:00"}}, "request_invalid"),
        ({"reason": "mine"}, "request_invalid"),
        ([], "request_invalid"),
    ],
)
async def test_a_wish_that_is_none_changes_nothing(
    api: httpx.AsyncClient, services: Services, maria: Headers, body: Any, code: str
) -> None:
    await tell(services)
    assert problem(await api.patch(WISHES, json=body, headers=maria), 400) == code
    assert (await api.get(WISHES, headers=maria)).headers["etag"] == '"0"'
