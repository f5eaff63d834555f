"""The sender: takes what is due, has it carried, writes down what came of it (N3, N5).

A delivery is leased in a short transaction, carried outside of any, and told of in another: a slow
receiver holds up nothing but its own lane. Who is killed leaves leases behind; when they run out,
what was under way is sent again under the same notice id: at least once.

Any number of senders, in as many processes, work on one queue.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Final

import structlog

from bursar.notices.model import Channel, Delivery, Outcome
from bursar.notices.sending import store
from bursar.notices.sending.backoff import SWING, judge
from bursar.notices.sending.carrier import Carrier, NotNow
from bursar.notices.sending.model import Claim, Claimed, GivenUp
from bursar.notices.sending.places import Places
from bursar.platform.database import Connection, Database
from bursar.platform.ending import end
from bursar.platform.errors import Invalid, Unavailable
from bursar.programs.store import raise_alert

CARRY_S: Final = 60.0
"""How long carrying one delivery may take."""

LEASE_S: Final = 120
PER_ENDPOINT: Final = 3

_LOOK_S: Final = 1.0
_STOP_S: Final = 10.0
_TELL_S: Final = 15.0
_SPARE_S: Final = 15.0
_log: Final = structlog.get_logger("bursar.notices")


class Sender:
    """Sends what is due on the channel of its carrier, which it does not close.

    ``lanes`` deliveries are under way at the same time, at most three of them to one endpoint.
    ``per_second`` is a pace over all processes, for e-mail. A lease is longer than carrying may
    take, so that nobody else begins with what is still under way.
    """

    def __init__(
        self,
        database: Database,
        carrier: Carrier,
        *,
        lanes: int = 8,
        lease_s: int = LEASE_S,
        per_second: int | None = None,
        jitter: Random | None = None,
        carry_s: float = CARRY_S,
        stop_s: float = _STOP_S,
    ) -> None:
        if lease_s < carry_s + store.AHEAD_S + _SPARE_S:
            raise Invalid("lease_too_short", "a lease must outlast what is done under it")
        self._database = database
        self._carrier = carrier
        self._lanes = lanes
        self._lease_s = lease_s
        self._per_second = per_second
        self._jitter = jitter or Random()  # noqa: S311 - spreads load, guards nothing
        self._carry_s = carry_s
        self._stop_s = stop_s
        self._places = Places(lanes if carrier.channel is Channel.EMAIL else PER_ENDPOINT)

    async def send_due(self) -> int:
        """Send until nothing is due, and return how many attempts that took.

        Broken off, it gives back what it has not begun and waits for what is under way, 10 s at
        most; what is not done by then counts as failed, and is tried again soon. A database that
        is away raises `Unavailable`.
        """
        stop = asyncio.Event()
        work = asyncio.create_task(self._send(stop))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            stop.set()
            with suppress(Unavailable):
                await asyncio.shield(work)
            raise

    async def _send(self, stop: asyncio.Event) -> int:
        lanes: set[asyncio.Task[bool]] = set()
        stopping = asyncio.create_task(stop.wait())
        carried = 0
        try:
            while not stop.is_set():
                try:
                    wait_s = await self._fill(lanes, stop)
                except Unavailable:
                    if not lanes:
                        raise
                    wait_s = _LOOK_S  # let them end: they try to tell of it for a while
                if wait_s is None:
                    break
                done, _ = await asyncio.wait(
                    {*lanes, stopping}, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED
                )
                carried += sum(lane.result() for lane in lanes & done)
                lanes -= done
        finally:
            stopping.cancel()
            carried += await self._wind_up(lanes)
        return carried

    async def _fill(self, lanes: set[asyncio.Task[bool]], stop: asyncio.Event) -> float | None:
        """Give every free lane something to do; how long to wait then, None if all is done."""
        free = self._lanes - len(lanes)
        if not free:
            return self._carry_s
        loop = asyncio.get_running_loop()
        begin_by = loop.time() + self._lease_s - self._carry_s - _SPARE_S
        claimed = await self._claim(free, int(loop.time()))
        for one in claimed.claims:
            self._places.begin(one.delivery.endpoint_id)
            lanes.add(asyncio.create_task(self._attempt(one, stop, begin_by)))
        if claimed.dropped or claimed.given_up:
            return 0.0  # who made room may have hidden others
        if claimed.again_s is not None:
            return min(claimed.again_s, _LOOK_S)
        return _LOOK_S if lanes else None

    async def _claim(self, free: int, now: int) -> Claimed:
        async def once(connection: Connection) -> Claimed:
            claimed = await store.claim(
                connection,
                self._carrier.channel,
                most=free,
                lease_s=self._lease_s,
                per_endpoint=self._places.width,
                rooms=self._places.room(now),
                per_second=self._per_second,
            )
            await _alert(connection, claimed.given_up)
            return claimed

        return await self._database.retrying(once)

    async def _attempt(self, claim: Claim, stop: asyncio.Event, begin_by: float) -> bool:
        """Carry one delivery and tell of it; whether it was tried."""
        delivery, outcome = claim.delivery, None
        loop = asyncio.get_running_loop()
        try:
            if claim.wait_s > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), claim.wait_s)
            began = loop.time()
            if stop.is_set() or began > begin_by:
                await self._give_back(delivery)
                return False
            try:
                outcome = await self._carry(delivery)
            except NotNow as later:
                await self._give_back(delivery, later.wait_s)
                return False
            await self._tell(claim, outcome, began)
            return True
        finally:
            self._places.end(delivery.endpoint_id, outcome, int(loop.time()))

    async def _carry(self, delivery: Delivery) -> Outcome:
        try:
            async with asyncio.timeout(self._carry_s):
                return await self._carrier.carry(delivery)
        except TimeoutError:
            return Outcome(outcome="failed", detail="timeout")
        except asyncio.CancelledError:
            return Outcome(outcome="failed", detail="broken off: the sender was stopped")
        except NotNow:
            raise
        except Exception as error:
            _log.exception("carrier_broken", delivery=delivery.delivery_id, kind=delivery.kind)
            return Outcome(outcome="failed", detail=f"broken: {type(error).__name__}")

    async def _tell(self, claim: Claim, outcome: Outcome, began: float) -> None:
        """Write down what came of it, patiently: what is not told of is sent again.

        An endpoint that is dead rests, so that what waits for it may not come to its last try for
        weeks: operators are told that it is behind.
        """
        delivery = claim.delivery
        loop = asyncio.get_running_loop()
        ended = loop.time()
        verdict = judge(outcome, delivery.tries, self._jitter.randint(-SWING, SWING))

        async def once(connection: Connection) -> None:
            given_up = await store.finish(
                connection,
                delivery,
                outcome,
                verdict,
                took_ms=_ms(ended - began),
                ago_ms=_ms(loop.time() - began),
            )
            await _alert(connection, () if given_up is None else (given_up,))
            if claim.behind and outcome.outcome == "failed":
                message = f"{claim.behind} fails, and what waits for it is more than a day late"
                await raise_alert(connection, "webhook_behind", claim.behind, message)

        while True:
            try:
                return await self._database.retrying(once)
            except Unavailable as error:
                if loop.time() > ended + _TELL_S:
                    _log.warning("untold", delivery=delivery.delivery_id, code=error.code)
                    return None
                await asyncio.sleep(_LOOK_S)

    async def _give_back(self, delivery: Delivery, wait_s: float = 0.0) -> None:
        with suppress(Unavailable):  # else the lease runs out by itself
            async with self._database.connection() as connection:
                await store.give_back(connection, delivery, wait_s)

    async def _wind_up(self, lanes: set[asyncio.Task[bool]]) -> int:
        """Wait for what is under way, break off what takes too long; returns how many ended."""
        if not lanes:
            return 0
        _, late = await asyncio.wait(lanes, timeout=self._stop_s)
        await end(late)
        ended = await asyncio.gather(*lanes, return_exceptions=True)
        return sum(one is True for one in ended)


async def _alert(connection: Connection, given_up: Sequence[GivenUp]) -> None:
    """Tell the operators that something is not sent any more."""
    for one in given_up:
        message = f"a delivery of kind {one.kind} to {one.place} is parked: {one.note}"
        await raise_alert(connection, "deliveries_parked", one.place, message)


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1_000))
