"""What an operator may ask of the queue: look, replay, forget (N3); and what restores do (O3)."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from bursar.notices.model import Channel, DeliveryState, Kind, Outcome
from bursar.notices.sending.model import COUNTED_TO, Queue, WantedDeliveries
from bursar.notices.sending.sender import Sender
from bursar.notices.sending.service import Deliveries, on_new_epoch
from bursar.platform.database import Database
from bursar.platform.errors import BursarError, Conflict, Invalid, Missing, Rejected
from bursar.trail import Trail
from tests.notices.sending.carriers import FAILED, SENT, FakeCarrier, Gate, add
from tests.notices.sending.conftest import hook, mail

ANN = {"actor": "cli:ann", "reason": "they lost it"}
WEBHOOK, EMAIL = Channel.WEBHOOK, Channel.EMAIL
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
BOUNCED = Outcome(outcome="bounced", status=550)
FAR_AHEAD = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def deliveries(pool: Database) -> Deliveries:
    return Deliveries(pool)


async def send(pool: Database, channel: Channel = EMAIL, outcome: Outcome = SENT) -> FakeCarrier:
    carrier = FakeCarrier(channel, outcome)
    await Sender(pool, carrier).send_due()
    return carrier


def look(owner: psycopg.Connection, what: str) -> list[Any]:
    return owner.execute(f"select {what} from bursar.deliveries order by delivery_id").fetchall()


async def acts(pool: Database) -> list[tuple[Any, ...]]:
    found = (await Trail(pool).acts()).items
    return [(one.act, one.subject, one.before, one.after) for one in reversed(found)]


# --- looking ----------------------------------------------------------------------------------


async def test_deliveries_are_listed_newest_first_page_by_page(
    pool: Database, deliveries: Deliveries
) -> None:
    await add(pool, *(mail(n) for n in range(5)))
    found, cursor = [], None
    while True:
        page = await deliveries.page(limit=2, cursor=cursor)
        found += [one.data["fact"] for one in page.items]
        if (cursor := page.cursor) is None:
            break
    assert found == [4, 3, 2, 1, 0]


@pytest.fixture
async def mixed(pool: Database, endpoint: Callable[..., int], owner: psycopg.Connection) -> None:
    """Mail to two, one of it parked; a reminder; two endpoints."""
    one, two = endpoint(), endpoint()
    await add(pool, mail("ada"), mail("bea", holder_id=2, parked_note="restored"))
    await add(pool, mail("ops", holder_id=None, address="ops@club.example"))
    await add(pool, mail("soon", kind=Kind.REMINDER), hook(one, "one"), hook(two, "two"))


@pytest.mark.parametrize(
    ("wanted", "facts"),
    [
        ({}, ["two", "one", "soon", "ops", "bea", "ada"]),
        ({"channel": EMAIL}, ["soon", "ops", "bea", "ada"]),
        ({"channel": WEBHOOK}, ["two", "one"]),
        ({"state": DeliveryState.PARKED}, ["bea"]),
        ({"state": DeliveryState.PARKED, "channel": WEBHOOK}, []),
        ({"state": DeliveryState.PARKED, "kind": Kind.DEPOSIT}, ["bea"]),
        ({"state": DeliveryState.WAITING, "channel": EMAIL}, ["soon", "ops", "ada"]),
        ({"kind": Kind.REMINDER}, ["soon"]),
        ({"holder_id": 1}, ["soon", "ada"]),
        ({"holder_id": 1, "kind": Kind.DEPOSIT}, ["ada"]),
        ({"holder_id": 1, "channel": WEBHOOK}, []),
        ({"holder_id": 2, "state": DeliveryState.WAITING}, []),
        ({"holder_id": 1, "endpoint_id": 1}, []),
        ({"holder_id": 99}, []),
        ({"endpoint_id": 2}, ["two"]),
        ({"endpoint_id": 2, "state": DeliveryState.SENT}, []),
        ({"endpoint_id": 2, "kind": Kind.REMINDER}, []),
        ({"endpoint_id": 0}, []),
    ],
)
@pytest.mark.usefixtures("mixed")
async def test_a_list_is_of_what_is_asked_for(
    deliveries: Deliveries, wanted: dict[str, Any], facts: list[str]
) -> None:
    page = await deliveries.page(WantedDeliveries(**wanted))
    assert [one.data["fact"] for one in page.items] == facts


@pytest.mark.parametrize(
    ("asked", "code"),
    [({"limit": 0}, "page_limit"), ({"limit": 1_001}, "page_limit"), ({"cursor": "x"}, "cursor")],
)
async def test_a_page_that_cannot_be_is_refused(
    deliveries: Deliveries, asked: dict[str, Any], code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await deliveries.page(**asked)
    assert refused.value.code == code


async def test_a_delivery_is_shown_with_its_attempts(
    pool: Database, deliveries: Deliveries, owner: psycopg.Connection
) -> None:
    await add(pool, mail("a"))
    await send(pool, outcome=FAILED)
    owner.execute("update bursar.deliveries set due_at = now()")
    await send(pool)
    found = await deliveries.get(1)
    assert (found.delivery.state, found.delivery.attempts) == (DeliveryState.SENT, 2)
    assert [(a.number, a.outcome, a.status, a.detail) for a in found.attempts] == [
        (1, "failed", 503, "come later"),
        (2, "sent", 200, ""),
    ]
    assert all(a.took_ms >= 0 and a.began_at.tzinfo is not None for a in found.attempts)


@pytest.mark.parametrize("number", [0, -1, 2, 2**63, 2**80])
async def test_a_delivery_that_there_is_not_is_missing(
    pool: Database, deliveries: Deliveries, number: int
) -> None:
    await add(pool, mail("a"))
    with pytest.raises(Missing) as missing:
        await deliveries.get(number)
    assert missing.value.code == "delivery_unknown"
    with pytest.raises(Missing):
        await deliveries.replay(number, **ANN)


async def test_long_queues_are_counted_to_a_limit(
    pool: Database, deliveries: Deliveries, owner: psycopg.Connection
) -> None:
    await add(pool, *(mail() for _ in range(10_005)))
    [email, _] = await deliveries.queues()
    assert email.waiting == COUNTED_TO == 10_000


async def test_the_queues_tell_how_far_they_are_behind(
    pool: Database, deliveries: Deliveries, owner: psycopg.Connection, endpoint: Callable[..., int]
) -> None:
    empty = [Queue(channel=c, waiting=0, parked=0, behind_s=0) for c in (EMAIL, WEBHOOK)]
    assert [*await deliveries.queues()] == empty
    await add(pool, mail(), mail(), mail(parked_note="x"), mail(due_at=FAR_AHEAD))
    await add(pool, hook(endpoint(state="off")), hook(endpoint()))
    owner.execute(
        "update bursar.deliveries set due_at = now() - interval '90 s' where delivery_id in (1, 5)"
    )
    [email, webhook] = await deliveries.queues()
    assert (email.waiting, email.parked, email.behind_s in (90, 91)) == (3, 1, True)
    assert (webhook.waiting, webhook.parked) == (2, 0)
    assert webhook.behind_s < 60, "what an endpoint that is off holds back is not behind"


async def test_the_queues_tell_what_fails_again_and_again(
    pool: Database, deliveries: Deliveries, owner: psycopg.Connection, endpoint: Callable[..., int]
) -> None:
    await add(pool, mail(), mail(), mail(), mail(parked_note="x"), hook(endpoint()))
    owner.execute(
        "update bursar.deliveries set tries = 3, leased_until = now() where channel = 'email'"
    )
    owner.execute("update bursar.deliveries set leased_until = null where delivery_id in (2, 3)")
    [email, webhook] = await deliveries.queues()
    assert (email.failing, email.example) == (2, 2), "nor the third try under way, nor the parked"
    assert (webhook.failing, webhook.example) == (0, None)


# --- replaying --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (SENT, "sent"),
        (Outcome(outcome="refused"), "parked"),
        (Outcome(outcome="bounced"), "dropped"),
    ],
)
async def test_what_has_ended_is_sent_again_with_its_id_and_all_its_tries(
    pool: Database,
    deliveries: Deliveries,
    owner: psycopg.Connection,
    outcome: Outcome,
    state: str,
) -> None:
    await add(pool, mail("a"))
    first = await send(pool, outcome=outcome)
    [(note,)] = look(owner, "note")
    await deliveries.replay(1, **ANN)
    assert look(owner, "state, tries, attempts, note, ended_at") == [("waiting", 0, 1, "", None)]
    again = await send(pool)
    assert [one.notice_id for one in again.carried] == [one.notice_id for one in first.carried]
    assert look(owner, "state, tries, attempts") == [("sent", 1, 2)]
    assert await acts(pool) == [
        ("delivery.replay", "delivery_1", {"state": state, "note": note}, None)
    ]


async def test_what_waits_for_its_next_try_need_not_wait_longer(
    pool: Database, deliveries: Deliveries
) -> None:
    await add(pool, mail("a"))
    await send(pool, outcome=FAILED)
    assert (await send(pool)).facts() == []
    await deliveries.replay(1, **ANN)
    assert (await send(pool)).facts() == ["a"]


async def test_what_is_under_way_is_not_replayed(pool: Database, deliveries: Deliveries) -> None:
    gate = Gate()
    await add(pool, mail("a"))
    sending = asyncio.create_task(Sender(pool, FakeCarrier(EMAIL, gate)).send_due())
    await gate.until(1)
    with pytest.raises(Conflict) as refused:
        await deliveries.replay(1, **ANN)
    assert refused.value.code == "delivery_under_way"
    gate.opened.set()
    await sending
    assert await acts(pool) == []


async def test_what_went_to_an_endpoint_that_is_gone_cannot_be_replayed(
    pool: Database, deliveries: Deliveries, owner: psycopg.Connection, endpoint: Callable[..., int]
) -> None:
    await add(pool, hook(endpoint()))
    await send(pool, WEBHOOK)
    owner.execute("update bursar.webhook_endpoints set removed_at = now()")
    with pytest.raises(Rejected) as refused:
        await deliveries.replay(1, **ANN)
    assert refused.value.code == "webhook_removed"
    with pytest.raises(Missing):
        await deliveries.replay_range(1, LONG_AGO, FAR_AHEAD, **ANN)
    assert look(owner, "state") == [("sent",)]


async def test_what_a_canceled_dispatch_has_dropped_can_be_sent_after_all(
    pool: Database, deliveries: Deliveries, owner: psycopg.Connection
) -> None:
    owner.execute(
        "insert into bursar.dispatches (started_at, ended_at, phase, state)"
        " values (now(), now(), 'awards', 'canceled'), (now(), now(), 'awards', 'finished')"
    )
    await add(pool, mail("a", dispatch_id=1), mail("b", dispatch_id=2))
    assert (await send(pool)).facts() == ["b"]
    assert look(owner, "note") == [("canceled",), ("",)]
    for number in (1, 2):
        await deliveries.replay(number, **ANN)
    assert sorted((await send(pool)).facts()) == ["a", "b"]
    assert look(owner, "dispatch_id") == [(None,), (2,)], "a finished one keeps its own"


async def test_a_span_does_not_bring_back_what_waits_in_a_canceled_dispatch(
    pool: Database, deliveries: Deliveries, owner: psycopg.Connection, endpoint: Callable[..., int]
) -> None:
    owner.execute(
        "insert into bursar.dispatches (started_at, phase, state)"
        " values (now(), 'awards', 'running'), (now(), 'awards', 'paused')"
    )
    one = endpoint()
    await add(pool, *(mail(dispatch_id=n) for n in (1, 2)), hook(one, dispatch_id=1))
    owner.execute("update bursar.deliveries set tries = 3, attempts = 3, due_at = now() + '1 h'")
    owner.execute(
        "update bursar.dispatches set state = 'canceled', ended_at = now() where dispatch_id = 1"
    )
    assert await deliveries.replay_mail(LONG_AGO, FAR_AHEAD, **ANN) == 1
    assert await deliveries.replay_range(one, LONG_AGO, FAR_AHEAD, **ANN) == 0
    assert look(owner, "tries, dispatch_id") == [(3, 1), (0, 2), (3, 1)]
    assert (await send(pool)).facts() == [], "paused is paused"
    assert (await send(pool, WEBHOOK)).facts() == []
    assert look(owner, "note") == [("canceled",), ("",), ("canceled",)]


@pytest.fixture
async def span(pool: Database, owner: psycopg.Connection, endpoint: Callable[..., int]) -> datetime:
    """An hour a delivery, to endpoint 1, of each state; one to endpoint 2. From when on."""
    one, two = endpoint(), endpoint()
    await add(pool, hook(one, "sent"), hook(one, "soon", kind=Kind.REMINDER))
    await send(pool, WEBHOOK)
    await add(pool, hook(one, "parked"))
    await send(pool, WEBHOOK, Outcome(outcome="refused"))
    await add(pool, hook(one, "dropped"), hook(two, "other"))
    await send(pool, WEBHOOK, Outcome(outcome="dropped"))
    await add(pool, hook(one, "failing"))
    await send(pool, WEBHOOK, FAILED)
    await add(pool, hook(one, "waiting"))
    start = datetime(2026, 5, 1, tzinfo=UTC)
    owner.execute(
        "update bursar.deliveries set made_at = %s + make_interval(hours => delivery_id::int - 1),"
        " due_at = now() + '1 hour', happened_at = '2020-01-01'",
        (start,),
    )
    return start


@pytest.mark.parametrize(
    ("first", "last", "how", "facts"),
    [
        (0, 10, {}, {"sent", "soon", "parked", "dropped", "failing"}),
        (1, 2, {}, {"soon"}),
        (2, 10, {}, {"parked", "dropped", "failing"}),
        (0, 10, {"states": ["failing"]}, {"failing"}),
        (0, 10, {"kinds": [Kind.REMINDER, Kind.CORRECTED]}, {"soon"}),
        (0, 10, {"states": ["parked", "dropped"]}, {"parked", "dropped"}),
        (0, 10, {"states": ["sent"], "kinds": [Kind.DEPOSIT]}, {"sent"}),
    ],
)
async def test_an_endpoint_is_sent_again_what_was_made_for_it_in_a_span(
    pool: Database,
    deliveries: Deliveries,
    span: datetime,
    first: int,
    last: int,
    how: dict[str, Any],
    facts: set[str],
) -> None:
    since, until = (span + timedelta(hours=n) for n in (first, last))
    assert await deliveries.replay_range(1, since, until, **how, **ANN) == len(facts)
    assert {*(await send(pool, WEBHOOK)).facts()} == facts
    [(act, subject, _, after)] = await acts(pool)
    assert (act, subject, after["deliveries"]) == (
        "delivery.replay_range",
        "webhook_1",
        len(facts),
    )
    assert after["since"] == since.isoformat()


@pytest.fixture
async def letters(pool: Database, owner: psycopg.Connection) -> datetime:
    """An hour a letter, of each state, to a person and to an operator; from when on."""
    await add(pool, mail("sent"))
    await send(pool)
    await add(pool, mail("parked"), mail("ops", holder_id=None, address="ops@club.example"))
    await add(pool, mail("soon", kind=Kind.REMINDER))
    await send(pool, EMAIL, Outcome(outcome="refused"))
    await add(pool, mail("failing"), mail("under way"))
    await send(pool, EMAIL, FAILED)
    await add(pool, mail("waiting"), hook(1, "hook", parked_note="no"))
    await add(pool, mail("restored", parked_note="restored"))
    owner.execute(
        "update bursar.deliveries set leased_until = now() + '1 hour'"
        " where data->>'fact' = 'under way'"
    )
    start = datetime(2026, 5, 1, tzinfo=UTC)
    owner.execute(
        "update bursar.deliveries set made_at = %s + make_interval(hours => delivery_id::int - 1),"
        " due_at = now() + '1 hour', happened_at = '2020-01-01'",
        (start,),
    )
    return start


@pytest.mark.parametrize(
    ("first", "last", "how", "facts"),
    [
        (0, 10, {}, {"parked", "ops", "soon", "failing"}),
        (0, 10, {"states": ["parked"]}, {"parked", "ops", "soon"}),
        (1, 3, {}, {"parked", "ops"}),
        (0, 10, {"kinds": [Kind.REMINDER]}, {"soon"}),
        (0, 10, {"states": ["sent"]}, {"sent"}),
        (0, 10, {"states": ["sent", "parked"], "kinds": [Kind.DEPOSIT]}, {"sent", "parked", "ops"}),
    ],
)
async def test_the_letters_of_a_span_are_sent_again_those_not_taken_unless_told(
    pool: Database,
    deliveries: Deliveries,
    letters: datetime,
    first: int,
    last: int,
    how: dict[str, Any],
    facts: set[str],
) -> None:
    since, until = (letters + timedelta(hours=n) for n in (first, last))
    assert await deliveries.replay_mail(since, until, **how, **ANN) == len(facts)
    assert {*(await send(pool)).facts()} == facts
    [(act, subject, _, after)] = await acts(pool)
    assert (act, subject, after["deliveries"]) == ("delivery.replay_mail", "email", len(facts))
    later = letters + timedelta(days=9)
    assert await deliveries.replay_mail(later, later + timedelta(1), **ANN) == 0


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"since": FAR_AHEAD}, "delivery_span"),
        ({"until": datetime(2090, 1, 1)}, "delivery_span"),  # noqa: DTZ001 - it is what is wrong
        ({"states": ["waiting"]}, "delivery_states"),
        ({"states": []}, "delivery_states"),
        ({"reason": ""}, "posting_voice"),
    ],
)
@pytest.mark.usefixtures("letters")
async def test_letters_of_a_span_that_is_wrong_stay_where_they_are(
    pool: Database, deliveries: Deliveries, asked: dict[str, Any], code: str
) -> None:
    with pytest.raises(BursarError) as refused:
        await deliveries.replay_mail(**{"since": LONG_AGO, "until": FAR_AHEAD} | ANN | asked)
    assert refused.value.code == code
    assert await acts(pool) == []
    assert (await send(pool)).facts() == []


async def test_a_span_in_which_there_is_nothing_leaves_no_act(
    pool: Database, deliveries: Deliveries, span: datetime
) -> None:
    until = span + timedelta(days=9)
    assert await deliveries.replay_range(1, until, until + timedelta(1), **ANN) == 0
    assert await acts(pool) == []


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"endpoint_id": 3}, "webhook_unknown"),
        ({"endpoint_id": 0}, "webhook_unknown"),
        ({"endpoint_id": 2**40}, "webhook_unknown"),
        ({"since": FAR_AHEAD}, "delivery_span"),
        ({"since": datetime(2020, 1, 1)}, "delivery_span"),  # noqa: DTZ001 - it is what is wrong
        ({"states": ["waiting"]}, "delivery_states"),
        ({"states": []}, "delivery_states"),
        ({"reason": ""}, "posting_voice"),
        ({"actor": "\n"}, "posting_voice"),
    ],
)
@pytest.mark.usefixtures("span")
async def test_a_span_that_is_wrong_is_refused(
    pool: Database,
    deliveries: Deliveries,
    owner: psycopg.Connection,
    asked: dict[str, Any],
    code: str,
) -> None:
    before = look(owner, "state, tries")
    given = {"endpoint_id": 1, "since": LONG_AGO, "until": FAR_AHEAD} | ANN | asked
    with pytest.raises(BursarError) as refused:
        await deliveries.replay_range(**given)
    assert refused.value.code == code
    assert look(owner, "state, tries") == before
    assert await acts(pool) == []


# --- a restore --------------------------------------------------------------------------------


async def test_after_a_restore_nothing_that_waited_is_sent_until_it_is_released(
    pool: Database, deliveries: Deliveries, owner: psycopg.Connection, endpoint: Callable[..., int]
) -> None:
    await add(pool, mail("sent"))
    await send(pool)
    await add(pool, mail("waiting"), hook(endpoint(), "hook"), mail("x", parked_note="refused"))
    async with pool.transaction() as connection:
        assert await on_new_epoch(connection) == 2
    assert (await send(pool)).facts() == []
    assert (await send(pool, WEBHOOK)).facts() == []
    assert look(owner, "state, note") == [
        ("sent", ""),
        ("parked", "restored"),
        ("parked", "restored"),
        ("parked", "refused"),
    ]
    assert await deliveries.release(EMAIL, **ANN) == 1
    assert (await send(pool)).facts() == ["waiting"]
    assert (await send(pool, WEBHOOK)).facts() == []
    assert await deliveries.release(EMAIL, **ANN) == 0
    assert await acts(pool) == [("delivery.release", "email", None, {"deliveries": 1})]


async def test_what_is_released_still_waits_for_the_hour_that_it_was_to_wait_for(
    pool: Database, deliveries: Deliveries, owner: psycopg.Connection
) -> None:
    await add(pool, mail("at night", due_at=FAR_AHEAD), mail("failed", due_at=FAR_AHEAD))
    owner.execute("update bursar.deliveries set tries = 2 where delivery_id = 2")
    async with pool.transaction() as connection:
        assert await on_new_epoch(connection) == 2
    assert await deliveries.release(EMAIL, **ANN) == 2
    assert (await send(pool)).facts() == ["failed"]
    assert look(owner, "state")[0] == ("waiting",)


async def test_what_was_under_way_when_the_books_were_restored_is_parked_too(
    pool: Database, owner: psycopg.Connection
) -> None:
    gate = Gate()
    await add(pool, mail("a"), mail("b"))
    sending = asyncio.create_task(Sender(pool, FakeCarrier(EMAIL, gate), lanes=1).send_due())
    await gate.until(1)
    async with pool.transaction() as connection:
        assert await on_new_epoch(connection) == 2
    assert look(owner, "state, leased_until") == [("parked", None)] * 2
    gate.opened.set()
    assert await sending == 1
    assert look(owner, "state") == [("sent",), ("parked",)], "what was sent was sent"


# --- forgetting -------------------------------------------------------------------------------


async def test_only_what_has_ended_and_is_old_is_forgotten(
    pool: Database,
    deliveries: Deliveries,
    owner: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bursar.notices.sending.service._SLICE", 2)
    await add(pool, *(mail(n) for n in range(5)))
    await send(pool)
    await add(pool, mail("parked", parked_note="x"), mail("waiting"), mail("young"))
    owner.execute("update bursar.deliveries set made_at = '2025-01-01' where delivery_id < 8")
    assert await deliveries.forget(datetime(2024, 1, 1, tzinfo=UTC)) == 0
    assert await deliveries.forget(datetime(2025, 6, 1, tzinfo=UTC)) == 6
    assert look(owner, "data->>'fact'") == [("waiting",), ("young",)]
    assert owner.execute("select count(*) from bursar.delivery_attempts").fetchone() == (0,)
