"""Who has a delivery under way, and whose turn it is (N3, N5)."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from bursar.notices.model import Channel, DeliveryState, Kind, Outcome
from bursar.notices.sending import store, store_steering
from bursar.notices.sending.backoff import MOST_TRIES, Verdict, judge
from bursar.notices.sending.model import Claimed, GivenUp
from bursar.platform.database import Database
from tests.notices.sending.carriers import FAILED, SENT, add
from tests.notices.sending.conftest import hook, mail

WEBHOOK, EMAIL = Channel.WEBHOOK, Channel.EMAIL


async def claim(pool: Database, channel: Channel = EMAIL, **how: Any) -> Claimed:
    asked = {"most": 100, "lease_s": 120, "per_endpoint": 100} | how
    async with pool.transaction() as connection:
        return await store.claim(connection, channel, **asked)


async def finish(
    pool: Database, claimed: Any, outcome: Outcome, verdict: Verdict | None = None
) -> GivenUp | None:
    delivery = claimed.delivery
    verdict = judge(outcome, delivery.tries, 0) if verdict is None else verdict
    async with pool.transaction() as connection:
        return await store.finish(connection, delivery, outcome, verdict, took_ms=5, ago_ms=7)


def facts(claimed: Claimed) -> list[Any]:
    return [one.delivery.data["fact"] for one in claimed.claims]


def look(owner: psycopg.Connection, what: str) -> list[Any]:
    return owner.execute(f"select {what} from bursar.deliveries order by delivery_id").fetchall()


def let_leases_run_out(owner: psycopg.Connection) -> None:
    owner.execute(
        "update bursar.deliveries set leased_until = now() - interval '1 second',"
        " due_at = now() - interval '1 second' where leased_until is not null"
    )


def make_due(owner: psycopg.Connection) -> None:
    owner.execute("update bursar.deliveries set due_at = now() where leased_until is null")


async def test_what_is_claimed_nobody_else_gets(pool: Database) -> None:
    await add(pool, *(mail(n) for n in range(60)))
    several = await asyncio.gather(*(claim(pool, most=10) for _ in range(8)))
    found = Counter(fact for claimed in several for fact in facts(claimed))
    assert max(found.values()) == 1
    rest = await claim(pool)
    assert len(found) + len(rest.claims) == 60
    assert (await claim(pool)).claims == ()


async def test_a_claim_is_the_delivery_as_it_was_added(pool: Database) -> None:
    given = mail("a", data={"fact": "a", "amount": 2**60}, dispatch_id=4)
    await add(pool, given)
    [one] = (await claim(pool)).claims
    found = one.delivery
    assert (found.notice_id, found.happened_at, found.data, found.dispatch_id, found.holder_id) == (
        given.notice_id, given.happened_at, given.data, 4, 1
    )  # fmt: skip
    assert (found.state, found.attempts, found.tries) == (DeliveryState.WAITING, 1, 1)
    assert (found.channel, found.kind, one.wait_s) == (EMAIL, Kind.DEPOSIT, 0)


async def test_what_is_not_due_waits(pool: Database, owner: psycopg.Connection) -> None:
    await add(pool, mail("later", due_at=owner.execute("select now() + '1 h'").fetchone()[0]))
    assert (await claim(pool)).claims == ()
    make_due(owner)
    assert facts(await claim(pool)) == ["later"]


async def test_each_channel_has_its_own_queue(pool: Database, endpoint: Callable[..., int]) -> None:
    await add(pool, mail("m"), hook(endpoint(), "h"))
    assert facts(await claim(pool, WEBHOOK)) == ["h"]
    assert facts(await claim(pool, EMAIL)) == ["m"]


async def test_the_oldest_of_a_line_goes_first(
    pool: Database, endpoint: Callable[..., int]
) -> None:
    one = endpoint()
    await add(pool, *(hook(one, n) for n in range(5)))
    assert facts(await claim(pool, WEBHOOK, most=3)) == [0, 1, 2]
    assert facts(await claim(pool, WEBHOOK, most=3)) == [3, 4]


# --- leases -----------------------------------------------------------------------------------


async def test_a_lease_that_has_run_out_is_taken_up_and_told_as_cut_off(
    pool: Database, owner: psycopg.Connection
) -> None:
    await add(pool, mail("a"))
    await claim(pool)
    assert (await claim(pool)).claims == ()
    let_leases_run_out(owner)
    [again] = (await claim(pool)).claims
    assert (again.delivery.attempts, again.delivery.tries) == (2, 2)
    told = owner.execute("select number, outcome, detail from bursar.delivery_attempts").fetchall()
    assert told == [(1, "failed", "cut off: whoever sent it did not tell what came of it")]
    assert await finish(pool, again, SENT) is None
    assert look(owner, "state, attempts, leased_until, note") == [("sent", 2, None, "")]


async def test_who_kills_its_process_every_time_is_parked_after_the_last_try(
    pool: Database, owner: psycopg.Connection
) -> None:
    await add(pool, mail("poison"))
    for _ in range(MOST_TRIES):
        assert facts(await claim(pool)) == ["poison"]
        let_leases_run_out(owner)
    last = await claim(pool)
    assert last.claims == ()
    assert last.given_up == (GivenUp(Kind.DEPOSIT, "email", "given up after 13 tries"),)
    assert look(owner, "state, note, attempts, ended_at is not null") == [
        ("parked", "given up after 13 tries", MOST_TRIES, True)
    ]
    [(told,)] = owner.execute("select count(*) from bursar.delivery_attempts").fetchall()
    assert told == MOST_TRIES


async def test_a_late_failure_does_not_touch_what_another_has(
    pool: Database, owner: psycopg.Connection
) -> None:
    await add(pool, mail("a"))
    [late] = (await claim(pool)).claims
    let_leases_run_out(owner)
    [other] = (await claim(pool)).claims
    before = look(owner, "state, leased_until, due_at, note")
    refused = Outcome(outcome="refused", status=554)
    assert await finish(pool, late, refused) is None, "it did not park anything"
    assert look(owner, "state, leased_until, due_at, note") == before
    told = owner.execute("select number, outcome, status from bursar.delivery_attempts").fetchall()
    assert told == [(1, "refused", 554)], "what is known stands in place of cut off"
    await finish(pool, other, SENT)
    await finish(pool, late, FAILED)
    assert look(owner, "state") == [("sent",)]


async def test_what_was_sent_late_was_sent(pool: Database, owner: psycopg.Connection) -> None:
    await add(pool, mail("a"))
    [late] = (await claim(pool)).claims
    let_leases_run_out(owner)
    [other] = (await claim(pool)).claims
    await finish(pool, late, SENT)
    assert look(owner, "state") == [("sent",)]
    assert await finish(pool, other, Outcome(outcome="refused")) is None
    assert look(owner, "state, attempts") == [("sent", 2)]
    told = owner.execute(
        "select number, outcome from bursar.delivery_attempts order by number"
    ).fetchall()
    assert told == [(1, "sent"), (2, "refused")]


async def test_a_lease_that_has_run_out_but_that_nobody_took_is_still_ours(
    pool: Database, owner: psycopg.Connection
) -> None:
    await add(pool, mail("a"))
    [mine] = (await claim(pool)).claims
    let_leases_run_out(owner)
    assert await finish(pool, mine, Outcome(outcome="refused")) is not None
    assert look(owner, "state") == [("parked",)]


async def test_what_was_sent_before_a_replay_does_not_end_it(
    pool: Database, owner: psycopg.Connection
) -> None:
    await add(pool, mail("a"))
    [late] = (await claim(pool)).claims
    let_leases_run_out(owner)
    [other] = (await claim(pool)).claims
    await finish(pool, other, Outcome(outcome="refused"))
    async with pool.transaction() as connection:
        await store_steering.replay(connection, late.delivery.delivery_id)
    await finish(pool, late, SENT)
    assert look(owner, "state, tries") == [("waiting", 0)]
    [again] = (await claim(pool)).claims
    assert (again.delivery.attempts, again.delivery.tries) == (3, 1)


async def test_what_is_given_back_was_no_attempt(pool: Database, owner: psycopg.Connection) -> None:
    await add(pool, mail("a"))
    [mine] = (await claim(pool)).claims
    async with pool.connection() as connection:
        await store.give_back(connection, mine.delivery)
        await store.give_back(connection, mine.delivery)
    assert look(owner, "attempts, tries, leased_until") == [(0, 0, None)]
    [again] = (await claim(pool)).claims
    assert again.delivery.attempts == 1
    assert owner.execute("select count(*) from bursar.delivery_attempts").fetchone() == (0,)


async def test_who_gives_back_late_does_not_touch_what_another_has(
    pool: Database, owner: psycopg.Connection
) -> None:
    await add(pool, mail("a"))
    [late] = (await claim(pool)).claims
    let_leases_run_out(owner)
    await claim(pool)
    async with pool.connection() as connection:
        await store.give_back(connection, late.delivery)
    assert look(owner, "attempts, leased_until > now()") == [(2, True)]


async def test_a_failure_waits_for_its_pause(pool: Database, owner: psycopg.Connection) -> None:
    await add(pool, mail("a"))
    [mine] = (await claim(pool)).claims
    await finish(pool, mine, FAILED)
    assert look(owner, "state, due_at > now() + '4 s' and due_at < now() + '6 s', ended_at") == [
        ("waiting", True, None)
    ]
    [(began, took, status, detail)] = owner.execute(
        "select began_at <= now(), took_ms, status, detail from bursar.delivery_attempts"
    ).fetchall()
    assert (began, took, status, detail) == (True, 5, 503, "come later")


async def test_what_the_database_cannot_write_is_told_all_the_same(
    pool: Database, owner: psycopg.Connection
) -> None:
    await add(pool, mail("a"))
    [mine] = (await claim(pool)).claims
    odd = "a\x00b\ud800" + "x" * 5_000
    await finish(pool, mine, Outcome(outcome="dropped", detail=odd))
    [(note,)] = look(owner, "note")
    assert note.startswith("ab?x")
    [(length,)] = owner.execute("select length(detail) from bursar.delivery_attempts").fetchall()
    assert length == 1_000


# --- turns ------------------------------------------------------------------------------------


async def test_an_endpoint_with_a_long_queue_keeps_nobody_waiting(
    pool: Database, endpoint: Callable[..., int]
) -> None:
    long, short, third = endpoint(), endpoint(), endpoint()
    await add(pool, *(hook(long, ("long", n)) for n in range(300)))
    await add(pool, hook(short, "short"), hook(third, "third"))
    first = await claim(pool, WEBHOOK, most=8, per_endpoint=3)
    assert Counter(one.delivery.endpoint_id for one in first.claims) == {
        long: 3,
        short: 1,
        third: 1,
    }


async def test_who_has_less_under_way_comes_first(
    pool: Database, endpoint: Callable[..., int]
) -> None:
    busy, idle = endpoint(), endpoint()
    await add(pool, *(hook(busy, ("busy", n)) for n in range(9)))
    await add(pool, *(hook(idle, ("idle", n)) for n in range(9)))
    found = await claim(pool, WEBHOOK, most=2, per_endpoint=3, rooms={busy: 1})
    assert [one.delivery.endpoint_id for one in found.claims] == [idle, idle]
    found = await claim(pool, WEBHOOK, most=9, per_endpoint=3, rooms={busy: 0, idle: 2})
    assert [one.delivery.endpoint_id for one in found.claims] == [idle, idle]


async def test_a_long_run_does_not_hold_up_what_stands_beside_it(pool: Database) -> None:
    await add(pool, *(mail(("run", n), dispatch_id=7) for n in range(300)))
    await add(pool, *(mail(("next", n), dispatch_id=8) for n in range(300)))
    await add(pool, mail("alert", holder_id=None, address="ops@club.example"))
    assert "alert" in facts(await claim(pool, most=3))
    found = await claim(pool, most=10)
    assert Counter(one.delivery.dispatch_id for one in found.claims) == {7: 5, 8: 5}


async def test_operators_do_not_wait_behind_everybody(pool: Database) -> None:
    await add(pool, *(mail(n) for n in range(300)))
    await add(pool, mail("alert", holder_id=None, address="ops@club.example"))
    assert "alert" in facts(await claim(pool, most=2))


async def test_an_endpoint_that_is_off_is_left_alone(
    pool: Database, endpoint: Callable[..., int], owner: psycopg.Connection
) -> None:
    off, on = endpoint(state="off"), endpoint()
    await add(pool, hook(off, "off"), hook(on, "on"))
    assert facts(await claim(pool, WEBHOOK)) == ["on"]
    owner.execute("update bursar.webhook_endpoints set state = 'on'")
    assert facts(await claim(pool, WEBHOOK)) == ["off"]


@pytest.mark.parametrize("how", ["removed", "unknown"])
async def test_what_goes_to_an_endpoint_that_is_gone_is_dropped(
    pool: Database, endpoint: Callable[..., int], owner: psycopg.Connection, how: str
) -> None:
    gone = endpoint() if how == "removed" else 77
    owner.execute("update bursar.webhook_endpoints set removed_at = now(), state = 'off'")
    await add(pool, *(hook(gone) for _ in range(5)))
    found = await claim(pool, WEBHOOK)
    assert (found.claims, found.dropped) == ((), 5)
    assert set(look(owner, "state, note, ended_at is null")) == {
        ("dropped", "endpoint_removed", False)
    }


def dispatch(owner: psycopg.Connection, state: str) -> int:
    row = owner.execute(
        "insert into bursar.dispatches (started_at, ended_at, phase, state)"
        " values (now(), case when %(s)s in ('canceled', 'finished') then now() end, 'awards',"
        " %(s)s)"
        " returning dispatch_id",
        {"s": state},
    ).fetchone()
    assert row is not None
    return int(row[0])


async def test_a_paused_dispatch_holds_its_own_and_nobody_elses(
    pool: Database, owner: psycopg.Connection
) -> None:
    paused, running, finished = (dispatch(owner, s) for s in ("paused", "running", "finished"))
    await add(pool, mail("p", dispatch_id=paused), mail("r", dispatch_id=running))
    await add(pool, mail("f", dispatch_id=finished), mail("alone"))
    assert set(facts(await claim(pool))) == {"r", "f", "alone"}
    owner.execute("update bursar.dispatches set state = 'running' where state = 'paused'")
    assert facts(await claim(pool)) == ["p"]


async def test_a_canceled_dispatch_is_dropped_a_part_at_a_time(
    pool: Database, owner: psycopg.Connection
) -> None:
    canceled = dispatch(owner, "canceled")
    await add(pool, *(mail(n, dispatch_id=canceled) for n in range(1_500)))
    await add(pool, mail("alone"))
    found = await claim(pool)
    assert (facts(found), found.dropped) == (["alone"], 1_000)
    assert (await claim(pool)).dropped == 500
    assert (await claim(pool)).dropped == 0
    assert set(look(owner, "state, note")) == {("waiting", ""), ("dropped", "canceled")}


async def test_what_is_under_way_when_its_dispatch_is_canceled_is_let_end(
    pool: Database, owner: psycopg.Connection
) -> None:
    number = dispatch(owner, "running")
    await add(pool, mail("a", dispatch_id=number))
    [mine] = (await claim(pool)).claims
    owner.execute("update bursar.dispatches set state = 'canceled', ended_at = now()")
    assert (await claim(pool)).dropped == 0
    await finish(pool, mine, SENT)
    assert look(owner, "state") == [("sent",)]


# --- the pace of e-mail -----------------------------------------------------------------------


async def test_each_mail_has_an_instant_of_its_own_over_all_processes(pool: Database) -> None:
    await add(pool, *(mail(n) for n in range(100)))
    first = await claim(pool, most=4, per_second=10)
    waits = [one.wait_s for one in first.claims]
    assert waits == pytest.approx([0, 0.1, 0.2, 0.3])
    second = await claim(pool, most=4, per_second=10)
    assert second.claims[0].wait_s > 0, "the first four instants are taken"
    gaps = [b.wait_s - a.wait_s for a, b in zip(second.claims, second.claims[1:], strict=False)]
    assert gaps == pytest.approx([0.1] * 3)


async def test_instants_are_given_a_few_seconds_ahead_and_no_more(
    pool: Database, owner: psycopg.Connection
) -> None:
    await add(pool, *(mail(n) for n in range(100)))
    owner.execute("update bursar.notice_state set mail_next_at = now() + '2 s'")
    found = await claim(pool, most=80, per_second=10)
    assert 0 < len(found.claims) <= 10
    assert all(one.wait_s < store.AHEAD_S for one in found.claims)
    owner.execute("update bursar.notice_state set mail_next_at = now() + '30 s'")
    none = await claim(pool, most=80, per_second=10)
    assert none.claims == ()
    assert none.again_s is not None
    assert 20 < none.again_s < 28


async def test_a_quiet_hour_saves_up_no_instants(pool: Database, owner: psycopg.Connection) -> None:
    owner.execute("update bursar.notice_state set mail_next_at = now() - interval '1 hour'")
    await add(pool, *(mail(n) for n in range(100)))
    assert len((await claim(pool, most=100, per_second=2)).claims) == 6
    assert (await claim(pool, most=100, per_second=2)).claims == ()


async def test_a_clock_that_was_put_back_does_not_hold_up_the_mail(
    pool: Database, owner: psycopg.Connection
) -> None:
    """Instants that were given away before lie ahead: for as long as it was put back."""
    await add(pool, mail())
    owner.execute("update bursar.notice_state set mail_next_at = now() + interval '2 hours'")
    found = await claim(pool, most=10, per_second=10)
    assert [one.wait_s < 1 for one in found.claims] == [True]
    row = owner.execute("select mail_next_at < now() + '1 s' from bursar.notice_state").fetchone()
    assert row == (True,)
