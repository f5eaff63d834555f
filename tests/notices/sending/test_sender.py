"""What is due is sent, whatever the other side does and whoever ends the sender (N3, N5)."""

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import psycopg
import pytest

from bursar.notices.model import Channel, Delivery, Outcome
from bursar.notices.sending import sender as module
from bursar.notices.sending import store
from bursar.notices.sending.backoff import MOST_TRIES
from bursar.notices.sending.carrier import NotNow
from bursar.notices.sending.sender import PER_ENDPOINT, Sender
from bursar.platform.database import Database
from bursar.platform.errors import Invalid, Unavailable
from tests.notices.sending.carriers import FAILED, SENT, FakeCarrier, Gate, Way, add
from tests.notices.sending.conftest import hook, mail

WEBHOOK, EMAIL = Channel.WEBHOOK, Channel.EMAIL


def states(owner: psycopg.Connection) -> Counter[str]:
    return Counter(
        row[0] for row in owner.execute("select state from bursar.deliveries").fetchall()
    )


def look(owner: psycopg.Connection, what: str) -> list[Any]:
    return owner.execute(f"select {what} from bursar.deliveries order by delivery_id").fetchall()


def attempts(owner: psycopg.Connection) -> list[Any]:
    return owner.execute(
        "select number, outcome, status, detail from bursar.delivery_attempts"
        " order by delivery_id, number"
    ).fetchall()


def make_due(owner: psycopg.Connection) -> None:
    owner.execute("update bursar.deliveries set due_at = now() where state = 'waiting'")


def alerts(owner: psycopg.Connection) -> list[Any]:
    return owner.execute(
        "select kind, subject, message, times from bursar.operator_alerts order by alert_id"
    ).fetchall()


async def test_all_that_is_due_is_sent_once(
    pool: Database, owner: psycopg.Connection, endpoint: Callable[..., int]
) -> None:
    endpoints = [endpoint() for _ in range(4)]
    await add(pool, *(hook(endpoints[n % 4], n) for n in range(200)))
    await add(pool, mail("of another channel"))
    carrier = FakeCarrier(WEBHOOK)
    assert await Sender(pool, carrier).send_due() == 200
    assert sorted(carrier.facts()) == [*range(200)]
    assert states(owner) == {"sent": 200, "waiting": 1}
    assert {row[1] for row in attempts(owner)} == {"sent"}
    assert await Sender(pool, carrier).send_due() == 0


async def test_several_senders_share_the_queue(pool: Database, owner: psycopg.Connection) -> None:
    await add(pool, *(mail(n) for n in range(300)))
    carriers = [FakeCarrier(EMAIL) for _ in range(3)]
    await asyncio.gather(*(Sender(pool, carrier, lanes=3).send_due() for carrier in carriers))
    for carrier in carriers[:1]:
        await Sender(pool, carrier).send_due()
    assert sorted(fact for carrier in carriers for fact in carrier.facts()) == [*range(300)]
    assert states(owner) == {"sent": 300}


async def test_lanes_are_used_and_no_endpoint_has_more_than_its_share(
    pool: Database, endpoint: Callable[..., int]
) -> None:
    gate, slow, other = Gate(), endpoint(), endpoint()
    await add(pool, *(hook(slow) for _ in range(20)))
    await add(pool, *(hook(other) for _ in range(20)))
    carrier = FakeCarrier(WEBHOOK, gate)
    sending = asyncio.create_task(Sender(pool, carrier, lanes=8).send_due())
    await gate.until(2 * PER_ENDPOINT)
    assert Counter(one.endpoint_id for one in carrier.carried) == {slow: 3, other: 3}
    gate.opened.set()
    assert await sending == 40
    assert carrier.most_under_way == 6


async def test_mail_has_all_the_lanes(pool: Database) -> None:
    gate = Gate()
    await add(pool, *(mail() for _ in range(20)))
    carrier = FakeCarrier(EMAIL, gate)
    sending = asyncio.create_task(Sender(pool, carrier, lanes=5).send_due())
    await gate.until(5)
    gate.opened.set()
    assert await sending == 20
    assert carrier.most_under_way == 5


async def test_a_dead_endpoint_with_a_long_queue_keeps_nobody_waiting(
    pool: Database, owner: psycopg.Connection, endpoint: Callable[..., int]
) -> None:
    dead, alive = endpoint("https://dead.example/"), endpoint()
    gate = Gate()

    async def way(delivery: Delivery) -> Outcome:
        return await gate(delivery) if delivery.endpoint_id == dead else SENT

    await add(pool, *(hook(dead) for _ in range(500)))
    await add(pool, *(hook(alive, n) for n in range(50)))
    carrier = FakeCarrier(WEBHOOK, way)
    sending = asyncio.create_task(Sender(pool, carrier, lanes=4).send_due())
    await gate.until(PER_ENDPOINT)
    while states(owner)["sent"] < 50:
        assert not sending.done()
        await asyncio.sleep(0)
    assert not gate.opened.is_set(), "the living are served while the dead hang"
    sending.cancel()
    gate.opened.set()
    with pytest.raises(asyncio.CancelledError):
        await sending


async def test_an_endpoint_that_fails_again_and_again_is_let_rest(
    pool: Database, owner: psycopg.Connection, endpoint: Callable[..., int]
) -> None:
    dead, alive = endpoint(), endpoint()

    async def way(delivery: Delivery) -> Outcome:
        return FAILED if delivery.endpoint_id == dead else SENT

    await add(pool, *(hook(dead) for _ in range(500)))
    await add(pool, *(hook(alive) for _ in range(50)))
    await Sender(pool, FakeCarrier(WEBHOOK, way)).send_due()
    tried = Counter(row[0] for row in look(owner, "tries"))
    assert states(owner) == {"sent": 50, "waiting": 500}
    assert tried[0] > 450, "what waits behind it has all its tries"


# --- what comes of it -------------------------------------------------------------------------


async def test_what_fails_is_tried_again_when_it_is_due_and_parked_after_the_last_try(
    pool: Database, owner: psycopg.Connection, endpoint: Callable[..., int]
) -> None:
    await add(pool, hook(endpoint("https://ann:pw@app.example:8443/hooks?key=1")))
    sender = Sender(pool, FakeCarrier(WEBHOOK, FAILED), jitter=Random(1))
    for number in range(1, MOST_TRIES):
        assert await sender.send_due() == 1
        assert await sender.send_due() == 0, "it waits"
        assert look(owner, "state, tries") == [("waiting", number)]
        assert alerts(owner) == []
        make_due(owner)
        sender = Sender(pool, FakeCarrier(WEBHOOK, FAILED))
    assert await sender.send_due() == 1
    assert look(owner, "state, note") == [("parked", "given up after 13 tries")]
    assert len(attempts(owner)) == MOST_TRIES
    [(kind, subject, message, times)] = alerts(owner)
    assert (kind, subject, times) == ("deliveries_parked", "app.example", 1)
    assert "pw" not in message
    assert "key" not in message
    make_due(owner)
    assert await sender.send_due() == 0


async def test_operators_are_told_of_an_endpoint_that_fails_and_is_a_day_behind(
    pool: Database, owner: psycopg.Connection, endpoint: Callable[..., int]
) -> None:
    """What waits for it may not come to its last try for weeks: it rests, and the queue is long."""
    where = endpoint("https://ann:pw@app.example:8443/hooks?key=1")
    await add(pool, hook(where), hook(where), mail())
    for late, told in (("23 hours", []), ("25 hours", ["webhook_behind"])):
        owner.execute(
            "update bursar.deliveries set due_at = now() - %s::interval where state = 'waiting'",
            (late,),
        )
        await Sender(pool, FakeCarrier(WEBHOOK, FAILED)).send_due()
        await Sender(pool, FakeCarrier(EMAIL, FAILED)).send_due()
        assert [row[0] for row in alerts(owner)] == told
    [(_, subject, message, times)] = alerts(owner)
    assert (subject, times) == ("app.example", 2)
    assert message == "app.example fails, and what waits for it is more than a day late"


async def test_an_endpoint_that_is_behind_and_takes_what_it_is_sent_is_nobodys_alert(
    pool: Database, owner: psycopg.Connection, endpoint: Callable[..., int]
) -> None:
    await add(pool, hook(endpoint()))
    owner.execute("update bursar.deliveries set due_at = now() - interval '3 days'")
    assert await Sender(pool, FakeCarrier(WEBHOOK)).send_due() == 1
    assert alerts(owner) == []


async def test_what_must_not_go_now_waits_and_was_not_tried(
    pool: Database, owner: psycopg.Connection
) -> None:
    async def not_now(_: Delivery) -> Outcome:
        raise NotNow(3_600)

    await add(pool, mail())
    assert await Sender(pool, FakeCarrier(EMAIL, not_now)).send_due() == 0
    soon = "due_at between now() + '59 min' and now() + '61 min'"
    assert look(owner, f"state, attempts, tries, leased_until, {soon}") == [
        ("waiting", 0, 0, None, True)
    ]
    assert attempts(owner) == []
    make_due(owner)
    assert await Sender(pool, FakeCarrier(EMAIL)).send_due() == 1
    assert states(owner) == {"sent": 1}


async def test_pauses_swing(pool: Database, owner: psycopg.Connection) -> None:
    await add(pool, *(mail() for _ in range(40)))
    await Sender(pool, FakeCarrier(EMAIL, FAILED), jitter=Random(3)).send_due()
    pauses = owner.execute(
        "select extract(epoch from d.due_at - a.began_at)::float"
        "  from bursar.deliveries d join bursar.delivery_attempts a using (delivery_id)"
    ).fetchall()
    assert len({round(pause, 1) for (pause,) in pauses}) > 5
    assert min(pauses)[0] >= 4


async def test_the_other_sides_wish_for_time_is_kept(
    pool: Database, owner: psycopg.Connection
) -> None:
    await add(pool, mail())
    busy = Outcome(outcome="failed", status=429, retry_after_s=3_600)
    await Sender(pool, FakeCarrier(EMAIL, busy)).send_due()
    assert look(owner, "due_at > now() + '59 min' and due_at < now() + '61 min'") == [(True,)]


@pytest.mark.parametrize(
    ("outcome", "state", "note", "told"),
    [
        (Outcome(outcome="refused", status=554, detail="spam"), "parked", "refused", 1),
        (Outcome(outcome="bounced", status=550), "dropped", "bounced", 0),
        (Outcome(outcome="dropped", detail="no_address"), "dropped", "no_address", 0),
    ],
)
async def test_what_is_settled_is_not_tried_again(
    pool: Database, owner: psycopg.Connection, outcome: Outcome, state: str, note: str, told: int
) -> None:
    await add(pool, mail(), mail())
    sender = Sender(pool, FakeCarrier(EMAIL, outcome))
    assert await sender.send_due() == 2
    assert look(owner, "state, note") == [(state, note)] * 2
    assert [(row[1], row[3]) for row in alerts(owner)] == [("email", 2)] * told
    assert {row[1:] for row in attempts(owner)} == {
        (outcome.outcome, outcome.status, outcome.detail)
    }


async def test_a_carrier_that_breaks_has_failed_and_the_others_are_sent(
    pool: Database, owner: psycopg.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    async def way(delivery: Delivery) -> Outcome:
        if delivery.data["fact"] == "bad":
            raise KeyError("holder")
        return SENT

    await add(pool, mail("bad"), mail("good"))
    assert await Sender(pool, FakeCarrier(EMAIL, way)).send_due() == 2
    assert look(owner, "state") == [("waiting",), ("sent",)]
    assert attempts(owner)[0][1:] == ("failed", None, "broken: KeyError")
    assert "carrier_broken" in "".join(capsys.readouterr())


async def test_a_carrier_that_hangs_has_failed_after_its_time(
    pool: Database, owner: psycopg.Connection
) -> None:
    await add(pool, mail())
    assert await Sender(pool, FakeCarrier(EMAIL, Gate()), carry_s=0.01).send_due() == 1
    assert attempts(owner) == [(1, "failed", None, "timeout")]


async def cut(_: Delivery) -> Outcome:
    raise TimeoutError


async def dropped(_: Delivery) -> Outcome:
    raise asyncio.CancelledError


@pytest.mark.parametrize("way", [cut, dropped])
async def test_a_carrier_that_gives_up_by_itself_ends_nobody_else(
    pool: Database, owner: psycopg.Connection, way: Way
) -> None:
    await add(pool, mail(), mail())
    assert await Sender(pool, FakeCarrier(EMAIL, way), lanes=1).send_due() == 2
    assert {row[1] for row in attempts(owner)} == {"failed"}


def test_a_lease_must_outlast_what_is_done_under_it(pool: Database) -> None:
    with pytest.raises(Invalid) as refused:
        Sender(pool, FakeCarrier(EMAIL), lease_s=60)
    assert refused.value.code == "lease_too_short"


# --- pace -------------------------------------------------------------------------------------


async def test_mail_keeps_its_pace_over_several_senders(
    pool: Database, owner: psycopg.Connection
) -> None:
    await add(pool, *(mail() for _ in range(40)))
    before = owner.execute("select clock_timestamp()").fetchone()
    senders = [Sender(pool, FakeCarrier(EMAIL), per_second=50) for _ in range(2)]
    assert sum(await asyncio.gather(*(one.send_due() for one in senders))) == 40
    assert before is not None
    rows = owner.execute(
        "select extract(epoch from a.began_at - %s)::float from bursar.delivery_attempts a"
        " order by 1",
        before,
    ).fetchall()
    assert rows[-1][0] >= 39 / 50 - 0.05, "forty at fifty a second take that long"


async def test_who_finds_all_instants_taken_waits_for_one(
    pool: Database, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "AHEAD_S", 60)  # so that its instant does not come before the stop
    await add(pool, mail())
    owner.execute("update bursar.notice_state set mail_next_at = now() + '60.2 s'")
    sender = Sender(pool, FakeCarrier(EMAIL), per_second=1, lease_s=300)
    sending = asyncio.create_task(sender.send_due())
    while look(owner, "attempts") == [(0,)]:
        assert not sending.done()
        await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert look(owner, "attempts, leased_until, state") == [(0, None, "waiting")], "given back"


# --- ends -------------------------------------------------------------------------------------


async def test_who_is_stopped_finishes_what_is_under_way_and_begins_no_more(
    pool: Database, owner: psycopg.Connection
) -> None:
    gate = Gate()
    await add(pool, *(mail() for _ in range(10)))
    carrier = FakeCarrier(EMAIL, gate)
    sending = asyncio.create_task(Sender(pool, carrier, lanes=2).send_due())
    await gate.until(2)
    sending.cancel()
    await asyncio.sleep(0)
    gate.opened.set()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert states(owner) == {"sent": 2, "waiting": 8}
    assert look(owner, "leased_until") == [(None,)] * 10
    assert len(carrier.carried) == 2


async def test_what_takes_too_long_to_end_is_broken_off_and_tried_again_soon(
    pool: Database, owner: psycopg.Connection
) -> None:
    gate = Gate()
    await add(pool, mail())
    sending = asyncio.create_task(Sender(pool, FakeCarrier(EMAIL, gate), stop_s=0.01).send_due())
    await gate.until(1)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    [(_, outcome, _, detail)] = attempts(owner)
    assert (outcome, detail) == ("failed", "broken off: the sender was stopped")
    assert look(owner, "state, leased_until, due_at < now() + '10 s'") == [("waiting", None, True)]


async def test_who_is_stopped_while_claiming_leaves_no_lease(
    pool: Database, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed, go_on = asyncio.Event(), asyncio.Event()
    claim = store.claim

    async def slow(*values: Any, **named: Any) -> Any:
        found = await claim(*values, **named)
        claimed.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(store, "claim", slow)
    await add(pool, *(mail() for _ in range(5)))
    carrier = FakeCarrier(EMAIL)
    sending = asyncio.create_task(Sender(pool, carrier).send_due())
    await claimed.wait()
    sending.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert carrier.carried == []
    assert look(owner, "attempts, leased_until") == [(0, None)] * 5


async def test_a_sender_that_was_asleep_does_not_begin_under_a_lease_that_is_nearly_over(
    pool: Database, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(pool, mail())
    sender = Sender(pool, FakeCarrier(EMAIL))
    [mine] = (await sender._claim(1, 0)).claims
    sender._places.begin(0)
    began = await sender._attempt(mine, asyncio.Event(), asyncio.get_running_loop().time() - 1)
    assert not began
    assert look(owner, "attempts, leased_until") == [(0, None)]


async def test_a_database_that_is_away_is_told_of(
    pool: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> Any:
        raise Unavailable("database_unavailable", "gone")

    monkeypatch.setattr(store, "claim", away)
    with pytest.raises(Unavailable):
        await Sender(pool, FakeCarrier(EMAIL)).send_due()


async def test_what_cannot_be_told_of_at_once_is_told_of_later(
    pool: Database, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_S", 0.01)
    finish, failures = store.finish, [Unavailable("database_unavailable", "gone")] * 3

    async def sometimes(*values: Any, **named: Any) -> Any:
        if failures:
            raise failures.pop()
        return await finish(*values, **named)

    monkeypatch.setattr(store, "finish", sometimes)
    await add(pool, mail())
    carrier = FakeCarrier(EMAIL)
    assert await Sender(pool, carrier).send_due() == 1
    assert len(carrier.carried) == 1
    assert states(owner) == {"sent": 1}


async def test_what_could_not_be_told_of_is_sent_again_when_its_lease_is_over(
    pool: Database, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TELL_S", -1)

    async def away(*_: Any, **__: Any) -> Any:
        raise Unavailable("database_unavailable", "gone")

    await add(pool, mail("a"))
    carrier = FakeCarrier(EMAIL)
    with monkeypatch.context() as patched:
        patched.setattr(store, "finish", away)
        assert await Sender(pool, carrier).send_due() == 1
    assert await Sender(pool, carrier).send_due() == 0
    owner.execute("update bursar.deliveries set leased_until = now(), due_at = now()")
    assert await Sender(pool, carrier).send_due() == 1
    assert [one.notice_id for one in carrier.carried] == [carrier.carried[0].notice_id] * 2
    assert [row[:2] for row in attempts(owner)] == [(1, "failed"), (2, "sent")]


async def test_a_canceled_dispatch_of_thousands_is_dropped_in_one_go(
    pool: Database, owner: psycopg.Connection
) -> None:
    owner.execute(
        "insert into bursar.dispatches (started_at, ended_at, phase, state)"
        " values (now(), now(), 'awards', 'canceled')"
    )
    await add(pool, *(mail(dispatch_id=1) for _ in range(2_500)))
    await add(pool, mail("alone"))
    carrier = FakeCarrier(EMAIL)
    assert await Sender(pool, carrier).send_due() == 1
    assert states(owner) == {"dropped": 2_500, "sent": 1}
