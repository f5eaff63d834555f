"""Carrying deliveries to machines: from a row of the queue to a signed request (N3)."""

import ssl
from collections.abc import Iterable
from typing import Final, Literal
from uuid import uuid4

import msgspec

from bursar.ledger import Ledger
from bursar.notices.model import Channel, Delivery, Outcome
from bursar.notices.sending.carrier import NotNow
from bursar.notices.webhooks import store
from bursar.notices.webhooks.address import networks_of, parse_url
from bursar.notices.webhooks.guarded import Forbidden, Resolve
from bursar.notices.webhooks.model import Batch, EndpointState, Target, subject_of
from bursar.notices.webhooks.post import Poster, Unreached
from bursar.notices.webhooks.service import unknown
from bursar.notices.webhooks.signing import PING, body_of, headers_of
from bursar.notices.webhooks.verdict import hidden, judge, one_line
from bursar.platform.errors import Broken
from bursar.platform.sealing import Seal
from bursar.programs.store import raise_alert

Trouble = Literal["webhook_gone", "webhook_forbidden", "webhook_secret"]

_NOTHING: Final = Batch(notices=())


class WebhookCarrier:
    """Sends deliveries to endpoints; see `bursar.notices.sending.carrier`. `close` it."""

    channel = Channel.WEBHOOK

    def __init__(
        self,
        ledger: Ledger,
        seal: Seal,
        networks: Iterable[str] = (),
        *,
        connect_s: float = 5.0,
        total_s: float = 15.0,
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._ledger = ledger
        self._database = ledger.database
        self._seal = seal
        self._poster = Poster(
            networks_of(networks), connect_s=connect_s, total_s=total_s, resolve=resolve, tls=tls
        )

    async def close(self) -> None:
        """Close the connections to endpoints; the database stays open."""
        await self._poster.close()

    async def carry(self, delivery: Delivery) -> Outcome:
        """Send a delivery once, under its notice's id, and tell what came of it.

        Who answers 410 is switched off. That, a place that is forbidden and a secret that cannot be
        read are told to the operators. Raises `NotNow` for one that is off, and what our own
        database does.
        """
        target = await self._target(delivery.endpoint_id)
        if target is None:
            return Outcome(outcome="dropped", detail="endpoint_removed")
        if target.state is EndpointState.OFF:
            raise NotNow  # switched off since it was claimed: it waits until it is on again
        batch = msgspec.convert(delivery.data, Batch)
        ids = {told.holder_id for told in batch.notices if told.holder_id is not None}
        names = await self._ledger.holders(ids) if ids else {}
        body = body_of(delivery.kind, delivery.happened_at, batch, names)
        outcome, trouble = await self._send(target, str(delivery.notice_id), body, names.values())
        if trouble is not None and not await self._tell(target, trouble, outcome.detail):
            return Outcome(outcome="failed", status=outcome.status, detail=outcome.detail)
        return outcome

    async def ping(self, endpoint_id: int) -> Outcome:
        """Send a ``ping`` at once, to one that is off as well; nothing but the answer comes of it.

        Raises `Missing` ``webhook_unknown``.
        """
        target = await self._target(endpoint_id)
        if target is None:
            raise unknown(endpoint_id)
        body = body_of(PING, target.now, _NOTHING, {})
        outcome, _ = await self._send(target, str(uuid4()), body, ())
        return outcome

    async def _target(self, endpoint_id: int) -> Target | None:
        if type(endpoint_id) is not int or not 0 < endpoint_id < 2**31:
            return None
        async with self._database.connection() as connection:
            return await store.read_target(connection, endpoint_id)

    async def _send(
        self, target: Target, webhook_id: str, body: bytes, names: Iterable[str]
    ) -> tuple[Outcome, Trouble | None]:
        """Sign and post; tells what came of it, and what operators must know.

        Of what is answered neither the query of the URL nor the ``names`` of holders stay.
        """
        sealed = [target.secret, *([target.old_secret] if target.old_secret else [])]
        try:
            secrets = [self._seal.open(one).decode() for one in sealed]
        except Broken as error:
            return Outcome(outcome="failed", detail=error.code), "webhook_secret"
        headers = headers_of(webhook_id, target.now, body, secrets)
        where = parse_url(target.url)
        try:
            answer = await self._poster.post(where, headers, body)
        except Forbidden as error:
            return Outcome(outcome="refused", detail=one_line(str(error))), "webhook_forbidden"
        except Unreached as error:
            return Outcome(outcome="failed", detail=str(error)), None
        text = hidden(answer.text, (*where.private, *names))
        judged = judge(msgspec.structs.replace(answer, text=text), target.now)
        return judged, "webhook_gone" if answer.gone else None

    async def _tell(self, target: Target, trouble: Trouble, detail: str) -> bool:
        """Tell the operators, and switch off what is gone.

        False if that was changed meanwhile: who said so may be somebody else than who listens now.
        """
        where = parse_url(target.url).told
        async with self._database.transaction() as connection:
            match trouble:
                case "webhook_gone":
                    if not await store.switch_off(connection, target, "gone"):
                        return False
                    message = f"{where} answered 410 Gone and is switched off; what waits is kept"
                case "webhook_forbidden":
                    message = f"{where} may not be reached: {detail}"
                case "webhook_secret":
                    message = f"the secret of {where} cannot be read: set its key, or rotate it"
            await raise_alert(connection, trouble, subject_of(target.endpoint_id), message)
        return True
