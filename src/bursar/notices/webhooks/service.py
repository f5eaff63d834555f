"""Endpoints: adding, changing and removing where machines listen, and their secrets (N3)."""

import secrets
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Final

import msgspec

from bursar import trail
from bursar.notices.webhooks import examine, store
from bursar.notices.webhooks.address import check_url, networks_of, parse_url
from bursar.notices.webhooks.model import (
    MAX_ENDPOINTS,
    Endpoint,
    EndpointId,
    EndpointState,
    NewSecret,
    mark_of,
    subject_of,
)
from bursar.notices.webhooks.signing import RANDOM_BYTES, spell
from bursar.platform.database import Connection, Database
from bursar.platform.errors import Broken, Conflict, Missing, Rejected
from bursar.platform.sealing import Seal
from bursar.platform.voice import check_voice

_SLICE: Final = 10_000


class Endpoints:
    """The endpoints of one database; ``networks`` are those that they may reach besides others."""

    def __init__(self, database: Database, seal: Seal, networks: Iterable[str] = ()) -> None:
        self._database = database
        self._seal = seal
        self._networks = networks_of(networks)

    async def add(
        self,
        url: str,
        kinds: Collection[str] = (),
        description: str = "",
        *,
        actor: str,
        reason: str,
    ) -> NewSecret:
        """Add an endpoint, which is on; no kinds are all kinds. Its secret is told this once.

        The same URL twice would be told everything twice, so that is refused: who asks again
        because no answer came removes or rotates what there is. Raises `Invalid` ``webhook_url``,
        ``webhook_invalid``, `Conflict` ``webhook_exists``, `Rejected` ``webhooks_full``.
        """
        where = check_url(url, self._networks)
        wanted = examine.kinds_of(kinds)
        examine.check_description(description)
        check_voice(actor, reason)
        secret = _new_secret()
        async with self._database.transaction() as connection:
            now = await store.begin_change(connection)
            there = await store.read_endpoints(connection)
            _check_alone(where.text, there)
            if len(there) >= MAX_ENDPOINTS:
                raise Rejected(
                    "webhooks_full", f"there are {MAX_ENDPOINTS} webhooks, and may be no more"
                )
            endpoint_id = await store.add_endpoint(
                connection,
                url=where.text,
                description=description,
                kinds=wanted,
                secret=self._seal.seal(secret.encode()),
                now=now,
            )
            endpoint = await _endpoint(connection, endpoint_id)
            await _record(connection, actor, "webhook.add", reason, after=endpoint)
        return NewSecret(endpoint, secret)

    async def list(self) -> list[Endpoint]:
        """List the endpoints that there are, the oldest first."""
        async with self._database.connection() as connection:
            return await store.read_endpoints(connection)

    async def get(self, endpoint_id: int) -> Endpoint:
        """Read an endpoint; raises `Missing` ``webhook_unknown``."""
        async with self._database.connection() as connection:
            return await _endpoint(connection, endpoint_id)

    async def change(
        self,
        endpoint_id: int,
        *,
        url: str | None = None,
        kinds: Collection[str] | None = None,
        description: str | None = None,
        on: bool | None = None,
        expect: str | None = None,
        actor: str,
        reason: str,
    ) -> Endpoint:
        """Change what is given, and leave the rest; its secret stays.

        What is made while an endpoint is off waits, and is sent when it is on again. With
        ``expect``, a `mark_of`, only what still is that. Raises what `add` does, `Missing`
        ``webhook_unknown``, `Conflict` ``webhook_moved``.
        """
        where = None if url is None else check_url(url, self._networks).text
        wanted = None if kinds is None else examine.kinds_of(kinds)
        if description is not None:
            examine.check_description(description)
        check_voice(actor, reason)
        async with self._database.transaction() as connection:
            now = await store.begin_change(connection)
            before = await _endpoint(connection, endpoint_id)
            if expect is not None and expect != mark_of(before):
                raise Conflict(
                    "webhook_moved",
                    f"{before.subject} was changed meanwhile; read it again",
                    endpoint=before.endpoint_id,
                )
            after = msgspec.structs.replace(
                before,
                url=before.url if where is None else where,
                kinds=before.kinds if wanted is None else wanted,
                description=before.description if description is None else description,
                **({} if on is None else _switched(before, on=on)),
            )
            if after == before:
                return before
            if after.url != before.url:
                _check_alone(after.url, await store.read_endpoints(connection))
            await store.change_endpoint(connection, after, now)
            await _record(connection, actor, "webhook.change", reason, before=before, after=after)
            return await _endpoint(connection, endpoint_id)

    async def rotate(
        self, endpoint_id: int, overlap_hours: int = 24, *, actor: str, reason: str
    ) -> NewSecret:
        """Give an endpoint a new secret; for so long, 0 to 720 hours, the old one signs as well.

        Both are sealed with the first key, so that rotating also brings an endpoint to a new key.
        With 0 hours an old secret that nobody can read any more is no hindrance. Raises `Missing`
        ``webhook_unknown``, `Invalid` ``overlap``, `Broken` ``secret_unreadable``.
        """
        examine.check_overlap(overlap_hours)
        check_voice(actor, reason)
        secret = _new_secret()
        async with self._database.transaction() as connection:
            now = await store.begin_change(connection)
            before = await _endpoint(connection, endpoint_id)
            old = None
            if overlap_hours:
                known = self._seal.open(await store.read_secret(connection, before.endpoint_id))
                old = (self._seal.seal(known), now + timedelta(hours=overlap_hours))
            await store.replace_secret(
                connection,
                before.endpoint_id,
                secret=self._seal.seal(secret.encode()),
                old=old,
                now=now,
            )
            after = await _endpoint(connection, endpoint_id)
            await _record(connection, actor, "webhook.rotate", reason, before=before, after=after)
        return NewSecret(after, secret)

    async def reseal(self, *, actor: str, reason: str) -> int:
        """Seal every secret with the first key, so that the keys after it may go; returns how many.

        The secrets stay what they are, and nobody who is told notices; old ones that sign no more
        are forgotten. All or none: raises `Broken` ``secret_unreadable``, naming the endpoint,
        where a key is not here any more.
        """
        check_voice(actor, reason)
        async with self._database.transaction() as connection:
            await store.begin_change(connection)
            sealed = await store.read_sealed(connection)
            for endpoint_id, secret, old in sealed:
                try:
                    again = self._seal.again(secret)
                    old_again = None if old is None else self._seal.again(old)
                except Broken as error:
                    raise Broken(
                        error.code,
                        f"{subject_of(endpoint_id)}: {error.message}",
                        endpoint=endpoint_id,
                    ) from None
                await store.write_sealed(connection, endpoint_id, again, old_again)
            if sealed:
                await trail.record(
                    connection,
                    actor=actor,
                    act="webhook.reseal",
                    subject="webhooks",
                    reason=reason,
                    after={"webhooks": len(sealed)},
                )
            return len(sealed)

    async def remove(self, endpoint_id: int, *, actor: str, reason: str) -> int:
        """Remove an endpoint for good; what waits for it is dropped. Returns how many that were.

        From its first transaction on nothing is sent there; what waits is dropped in slices after
        that. Whoever was interrupted does it again: the rest is dropped, and no second act written.
        Raises `Missing` ``webhook_unknown``.
        """
        check_voice(actor, reason)
        async with self._database.transaction() as connection:
            now = await store.begin_change(connection)
            found = await _find(connection, endpoint_id)
            if found is None:
                raise unknown(endpoint_id)
            before, removed = found
            if not removed:
                await store.remove_endpoint(connection, before.endpoint_id, now)
                await _record(connection, actor, "webhook.remove", reason, before=before)
        dropped = 0
        while some := await self._database.retrying(
            lambda connection: store.drop_deliveries(
                connection, before.endpoint_id, note="endpoint_removed", most=_SLICE
            )
        ):
            dropped += some
        return dropped


def _new_secret() -> str:
    return spell(secrets.token_bytes(RANDOM_BYTES))


def _switched(before: Endpoint, *, on: bool) -> dict[str, object]:
    """Say what switching changes; who switches off what is off leaves why it is."""
    if on:
        return {"state": EndpointState.ON, "why": ""}
    if before.state is EndpointState.OFF:
        return {}
    return {"state": EndpointState.OFF, "why": "operator"}


def _check_alone(url: str, there: Iterable[Endpoint]) -> None:
    for other in there:
        if other.url == url:
            raise Conflict(
                "webhook_exists",
                f"{other.subject} has this URL; everything would be sent there twice",
                endpoint=other.endpoint_id,
            )


async def _find(connection: Connection, endpoint_id: int) -> tuple[Endpoint, bool] | None:
    if type(endpoint_id) is not int or not 0 < endpoint_id < 2**31:
        return None
    return await store.read_endpoint(connection, EndpointId(endpoint_id))


async def _endpoint(connection: Connection, endpoint_id: int) -> Endpoint:
    found = await _find(connection, endpoint_id)
    if found is None or found[1]:
        raise unknown(endpoint_id)
    return found[0]


def unknown(endpoint_id: int) -> Missing:
    """Say that there is no such endpoint."""
    return Missing("webhook_unknown", f"there is no webhook {endpoint_id}", endpoint=endpoint_id)


async def _record(
    connection: Connection,
    actor: str,
    act: str,
    reason: str,
    *,
    before: Endpoint | None = None,
    after: Endpoint | None = None,
) -> None:
    of = after or before
    if of is not None:
        await trail.record(
            connection,
            actor=actor,
            act=act,
            subject=of.subject,
            reason=reason,
            before=None if before is None else _told(before),
            after=None if after is None else _told(after),
        )


def _told(endpoint: Endpoint) -> dict[str, object]:
    """Tell the trail what an endpoint is: no secret, and of the URL no query."""
    return {
        "url": parse_url(endpoint.url).told,
        "description": endpoint.description,
        "kinds": endpoint.kinds,
        "state": endpoint.state,
        "why": endpoint.why,
        "old_until": endpoint.old_until,
    }
