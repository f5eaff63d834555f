"""Carrying a notice to somebody's mailbox: looked up, asked for once more, written, handed over.

To whom a letter goes is looked up now and not when the notice was made: an address that has
changed is the new one, and who was erased since gets nothing (H4). What the holder has turned off
meanwhile is not sent either, and nothing in quiet hours, however it came into them (N5).
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from bursar.holders import Holders
from bursar.holders.model import Holder
from bursar.ledger import Ledger
from bursar.notices.kinds import LANGUAGES, OF_OPERATORS
from bursar.notices.mail.bounces import Bounces
from bursar.notices.mail.compose import as_bytes, compose, recipient_of, sender_of
from bursar.notices.mail.languages import language_of
from bursar.notices.mail.model import Reader, Rendered
from bursar.notices.mail.render import Texts
from bursar.notices.mail.smtp import Failed, Postbox
from bursar.notices.mail.unsubscribe import Unsubscribing
from bursar.notices.model import Channel, Delivery, Kind, NoticeSettings, Outcome
from bursar.notices.sending.carrier import NotNow
from bursar.notices.sending.model import FAILURES
from bursar.platform.errors import Invalid, Missing
from bursar.platform.smtp_url import server_of
from bursar.programs.model import AlertKind
from bursar.programs.store import raise_alert

PATIENCE_S: Final = 180.0
"""For how long a server may be away before operators hear of it."""

_DETAIL: Final = 300
_NO_ADDRESS: Final = Outcome(outcome="dropped", detail="no_address")
_NOT_WANTED: Final = Outcome(outcome="dropped", detail="not wanted")
_BLOCKED: Final = Outcome(outcome="dropped", detail="bounced before")
_UNUSABLE: Final = Outcome(outcome="dropped", detail="the address is none that mail goes to")


class MailSettings(Protocol):
    """What the carrier asks of the settings."""

    @property
    def smtp_url(self) -> str | None:
        """Where the mail server is."""

    @property
    def mail_from(self) -> str:
        """Who letters come from."""

    @property
    def templates(self) -> Path | None:
        """A directory of templates in front of ours."""


class _Away(NamedTuple):
    """Since when a server has not been there, and when that was last seen."""

    since: float
    last: float


class MailCarrier:
    """Carries e-mail.

    ``notices`` tells what the economy file says now, ``waits`` for how long a kind's e-mail to a
    holder in a zone has to wait, None if it is not wished. Without ``unsubscribing`` letters have
    no link that ends them. A server that is away is told to operators after ``patience_s``, or
    once a letter has met none three times: where many wait, each is tried once for hours.
    """

    channel: Final = Channel.EMAIL

    def __init__(
        self,
        ledger: Ledger,
        settings: MailSettings,
        notices: Callable[[], Awaitable[NoticeSettings]],
        waits: Callable[[int, Kind, str | None], Awaitable[timedelta | None]],
        *,
        unsubscribing: Unsubscribing | None = None,
        postbox: Postbox | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Raises `Invalid` ``setting_invalid`` for what cannot be used to send."""
        self._ledger = ledger
        self._notices = notices
        self._waits = waits
        self._unsubscribing = unsubscribing
        self._texts = Texts(settings.templates)
        self._sender = sender_of(settings.mail_from)
        self._postbox = postbox or Postbox(server_of(settings.smtp_url or ""))
        self._holders = Holders(ledger)
        self._bounces = Bounces(ledger)
        self._scales: dict[str, int] = {}
        self._patience_s = patience_s
        self._away: _Away | None = None

    async def close(self) -> None:
        """Give the connections back."""
        await self._postbox.close()

    async def carry(self, delivery: Delivery) -> Outcome:
        """Send a letter; what came of it. Sent twice, it has the same Message-ID.

        Raises `NotNow` in quiet hours.
        """
        holder: Holder | None = None
        if delivery.holder_id is not None:
            holder = await self._holder(delivery.holder_id)
            if holder is None or not holder.email:
                return _NO_ADDRESS
            wait = await self._waits(holder.holder_id, delivery.kind, holder.time_zone)
            if wait is None:
                return _NOT_WANTED
            if wait:
                raise NotNow(wait.total_seconds())
        to = delivery.address if holder is None else holder.email or ""
        blocked, now = await self._bounces.look(to)
        if blocked and holder is not None:
            return _BLOCKED
        try:
            rendered, reader = await self._render(delivery, holder)
        except Invalid as error:
            await self._alert("template_error", str(error.fields["file"]), error.message)
            return Outcome(outcome="failed", detail=f"template_error: {error.message}"[:_DETAIL])
        try:
            letter = compose(
                rendered,
                sender=self._sender,
                to=to,
                to_name=reader.name,
                notice_id=delivery.notice_id,
                at=now,
                language=reader.language,
                unsubscribe_url=reader.unsubscribe_url,
            )
        except ValueError:
            return _UNUSABLE
        return await self._send(letter, holder, delivery.tries)

    async def _send(self, letter: EmailMessage, holder: Holder | None, tries: int) -> Outcome:
        to = recipient_of(letter)
        try:
            await self._postbox.hand_over(self._sender.address, to, as_bytes(letter))
        except Failed as failed:
            outcome = failed.outcome
            long = self._away_long(away=failed.away)
            if failed.setting or (failed.away and (long or tries >= FAILURES)):
                await self._alert("mail_server", self._postbox.server.host, outcome.detail)
            if outcome.outcome == "bounced" and holder is not None and holder.email:
                await self._bounces.keep(
                    holder.email,
                    holder_id=holder.holder_id,
                    status=outcome.status or 0,
                    detail=outcome.detail,
                )
            return outcome
        self._away_long(away=False)
        return Outcome(outcome="sent", status=250)

    def _away_long(self, *, away: bool) -> bool:
        """Note whether the server was there, and say whether it has not been for long.

        Two hiccups hours apart are none: another process may have met it between them.
        """
        now = asyncio.get_running_loop().time()
        known = self._away if self._away and now - self._away.last <= PATIENCE_S else None
        self._away = _Away(now if known is None else known.since, now) if away else None
        return away and known is not None and now - known.since >= self._patience_s

    async def _render(self, delivery: Delivery, holder: Holder | None) -> tuple[Rendered, Reader]:
        """Write what a letter says; operators are told in our words where theirs fail."""
        kind = delivery.kind
        reader = await self._reader(delivery, holder)
        try:
            return self._texts.render(kind, delivery.data, reader), reader
        except Invalid as error:
            if kind not in OF_OPERATORS:
                raise
            await self._alert("template_error", str(error.fields["file"]), error.message)
            ours = msgspec.structs.replace(
                reader, language=language_of(reader.language, LANGUAGES, LANGUAGES[0])
            )
            return self._texts.render(kind, delivery.data, ours, builtin=True), ours

    async def _reader(self, delivery: Delivery, holder: Holder | None) -> Reader:
        notices = await self._notices()
        if delivery.data.get("asset") not in self._scales:
            self._scales = {asset.code: asset.scale for asset in await self._ledger.assets()}
        common: dict[str, Any] = {
            "scales": self._scales,
            "names": notices.names,
            "product": notices.product or self._sender.name,
        }
        known = self._texts.languages()
        if holder is None:
            language = language_of(None, known, notices.language)
            return Reader(language=language, locale=None, zone=notices.time_zone, name="", **common)
        link = self._unsubscribing
        return Reader(
            language=language_of(holder.locale, known, notices.language),
            locale=holder.locale,
            zone=holder.time_zone or notices.time_zone,
            name=holder.username or "",
            unsubscribe_url=link.url(holder.holder_id, delivery.kind) if link else "",
            **common,
        )

    async def _holder(self, holder_id: int) -> Holder | None:
        try:
            holder = await self._holders.get(holder_id=holder_id)
        except Missing:
            return None
        return None if holder.erased_at is not None else holder

    async def _alert(self, kind: AlertKind, subject: str, message: str) -> None:
        async with self._ledger.database.transaction() as connection:
            await raise_alert(connection, kind, subject, message[:_DETAIL])
