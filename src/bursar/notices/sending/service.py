"""Deliveries: what an operator may ask of the queue, one method each (N3)."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from bursar.notices.model import Channel, Delivery, Kind
from bursar.notices.sending import store, store_steering
from bursar.notices.sending.model import DeliveryDetail, Queue, Replayable, Span, WantedDeliveries
from bursar.platform.database import Connection, Database
from bursar.platform.errors import Conflict, Invalid, Missing, Rejected
from bursar.platform.pages import Page, check_limit, place_of
from bursar.platform.voice import check_voice
from bursar.trail import record

_NEWEST: Final = 2**63 - 1
_LARGEST_INT4: Final = 2**31 - 1
_SLICE: Final = 10_000
REPLAYABLE: Final[tuple[Replayable, ...]] = ("sent", "parked", "dropped", "failing")
NOT_TAKEN: Final[tuple[Replayable, ...]] = ("parked", "failing")


class Deliveries:
    """The deliveries of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        wanted: WantedDeliveries | None = None,
        *,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Delivery]:
        """List deliveries, the newest first, 1 to 1,000 a page."""
        check_limit(limit)
        below = _NEWEST if cursor is None else place_of(cursor)
        async with self._database.connection() as connection:
            found = await store.read_page(
                connection, wanted or WantedDeliveries(), below, limit + 1
            )
        following = str(found[limit - 1].delivery_id) if len(found) > limit else None
        return Page(tuple(found[:limit]), following)

    async def get(self, delivery_id: int) -> DeliveryDetail:
        """Show a delivery with its attempts; raises `Missing` ``delivery_unknown``."""
        async with self._database.snapshot() as connection:
            found = await store.read_one(connection, _known(delivery_id))
            if found is None:
                raise _unknown(delivery_id)
            return DeliveryDetail(
                delivery=found, attempts=await store.read_attempts(connection, delivery_id)
            )

    async def queues(self) -> tuple[Queue, ...]:
        """Say how the queue of each channel stands, for those who watch it; cheap at any length."""
        async with self._database.connection() as connection:
            return await store.read_queues(connection)

    async def replay(self, delivery_id: int, *, actor: str, reason: str) -> None:
        """Send a delivery now, again if it was sent, with the same notice id and all its tries.

        One that waits for its next try need not wait longer; one that is under way is a `Conflict`
        ``delivery_under_way``. A paused dispatch and an endpoint that is off still hold it, a
        canceled dispatch does not; if its endpoint has been removed this is `Rejected`
        ``webhook_removed``.
        """
        check_voice(actor, reason)
        async with self._database.transaction() as connection:
            found = await store_steering.lock(connection, _known(delivery_id))
            if found is None:
                raise _unknown(delivery_id)
            if found.under_way:
                raise Conflict(
                    "delivery_under_way",
                    f"delivery {delivery_id} is being sent just now: look again in two minutes",
                    delivery=delivery_id,
                )
            if found.endpoint_gone:
                raise Rejected(
                    "webhook_removed",
                    f"the endpoint of delivery {delivery_id} has been removed",
                    delivery=delivery_id,
                )
            await store_steering.replay(connection, delivery_id)
            await record(
                connection,
                actor=actor,
                act="delivery.replay",
                subject=f"delivery_{delivery_id}",
                reason=reason,
                before={"state": found.state, "note": found.note},
            )

    async def replay_range(
        self,
        endpoint_id: int,
        since: datetime,
        until: datetime,
        *,
        kinds: Collection[Kind] = (),
        states: Collection[Replayable] = REPLAYABLE,
        actor: str,
        reason: str,
    ) -> int:
        """Send an endpoint all that was made for it from ``since`` to before ``until``.

        Of the kinds and states named; no kind is every kind. Of what was made: by `made_at`, when
        it was put into the queue, not when it happened or was sent. What has failed need not wait
        for its next try; what waits for its first, or is under way, is left as it is. All of it in
        one transaction; returns how many.
        """
        check_voice(actor, reason)
        span = _span(since, until, kinds, states)
        async with self._database.transaction() as connection:
            there = 0 < endpoint_id <= _LARGEST_INT4
            if not there or not await store_steering.is_endpoint(connection, endpoint_id):
                raise Missing(
                    "webhook_unknown", f"there is no webhook {endpoint_id}", endpoint=endpoint_id
                )
            again = await store_steering.replay_range(connection, endpoint_id, span)
            if again:
                await record(
                    connection,
                    actor=actor,
                    act="delivery.replay_range",
                    subject=f"webhook_{endpoint_id}",
                    reason=reason,
                    after=_replayed(span, again),
                )
            return again

    async def replay_mail(
        self,
        since: datetime,
        until: datetime,
        *,
        kinds: Collection[Kind] = (),
        states: Collection[Replayable] = NOT_TAKEN,
        actor: str,
        reason: str,
    ) -> int:
        """Send the letters that were made in a span again, as `replay_range` does.

        Without other ``states`` those that no mail server has taken: parked, or failing. What a
        restore has parked is for `release`, for it may have been sent. Who has unsubscribed since,
        or has no address that takes letters, is sent none.
        """
        check_voice(actor, reason)
        span = _span(since, until, kinds, states)
        async with self._database.transaction() as connection:
            again = await store_steering.replay_mail(connection, span)
            if again:
                await record(
                    connection,
                    actor=actor,
                    act="delivery.replay_mail",
                    subject=Channel.EMAIL.value,
                    reason=reason,
                    after=_replayed(span, again),
                )
            return again

    async def release(self, channel: Channel, *, actor: str, reason: str) -> int:
        """Send what a restore has parked on a channel; returns how many.

        For when nothing was sent between the backup and the restore; else some of it goes twice.
        """
        check_voice(actor, reason)
        async with self._database.transaction() as connection:
            again = await store_steering.release(connection, channel, store.RESTORED)
            if again:
                await record(
                    connection,
                    actor=actor,
                    act="delivery.release",
                    subject=channel.value,
                    reason=reason,
                    after={"deliveries": again},
                )
            return again

    async def forget(self, before: datetime) -> int:
        """Forget what has ended and was made before an instant, in slices; returns how many."""
        gone = 0
        while taken := await self._database.retrying(
            lambda connection: store.forget(connection, before, _SLICE)
        ):
            gone += taken
        return gone


async def on_new_epoch(connection: Connection) -> int:
    """Park all that waits, in the transaction that takes note of a restore; returns how much.

    It may have been sent between the backup and the restore, and nothing is sent a second time
    (O3). `Deliveries.release` sends it after all.
    """
    return await store.park_waiting(connection, store.RESTORED)


def _known(delivery_id: int) -> int:
    """Refuse a number that no delivery can have."""
    if not 0 < delivery_id <= _NEWEST:
        raise _unknown(delivery_id)
    return delivery_id


def _unknown(delivery_id: int) -> Missing:
    return Missing("delivery_unknown", f"there is no delivery {delivery_id}", delivery=delivery_id)


def _span(
    since: datetime, until: datetime, kinds: Collection[Kind], states: Collection[Replayable]
) -> Span:
    if since.tzinfo is None or until.tzinfo is None or since >= until:
        raise Invalid("delivery_span", "a span is from one instant with a zone to a later one")
    if not states or not set(states) <= set(REPLAYABLE):
        raise Invalid(
            "delivery_states", f"states are some of {', '.join(REPLAYABLE)}", states=[*states]
        )
    return Span(
        since=since, until=until, kinds=tuple(sorted({*kinds})), states=tuple(sorted({*states}))
    )


def _replayed(span: Span, again: int) -> dict[str, object]:
    return {
        "deliveries": again,
        "since": span.since.isoformat(),
        "until": span.until.isoformat(),
        "kinds": span.kinds,
        "states": span.states,
    }
