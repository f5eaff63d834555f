"""Notices: everything that may be asked of them, and what workers do for them (N1–N5)."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from bursar.holders import Holders
from bursar.holders.model import Holder
from bursar.ledger import Ledger
from bursar.notices.inbox.service import Inboxes
from bursar.notices.kinds import OF_HOLDERS
from bursar.notices.mail.bounces import Bounces
from bursar.notices.mail.carrier import MailCarrier
from bursar.notices.mail.languages import language_of
from bursar.notices.mail.model import Brief, Failure, Reader, Rendered
from bursar.notices.mail.render import Texts
from bursar.notices.mail.samples import SAMPLES, sample_reader
from bursar.notices.mail.unsubscribe import Unsubscribing
from bursar.notices.making.service import Dispatches, Maker
from bursar.notices.model import Channel, Kind, Notice, NoticeSettings, Outcome
from bursar.notices.preferences import NoticePreferences
from bursar.notices.program_kinds import ProgramKinds
from bursar.notices.sending.sender import Sender
from bursar.notices.sending.service import Deliveries
from bursar.notices.settings import SettingsBook
from bursar.notices.store import read_state
from bursar.notices.webhooks.carrier import WebhookCarrier
from bursar.notices.webhooks.service import Endpoints
from bursar.platform.errors import Invalid, Missing, Rejected
from bursar.platform.sealing import Seal, load_seal
from bursar.platform.settings import Settings
from bursar.platform.voice import check_voice
from bursar.programs.switches import Switches
from bursar.trail import record

_UTC: Final = "UTC"
_AT_ONCE: Final = 100


class Notices:
    """The notices of one ledger, as one process uses them; `close` gives connections back.

    ``data_dir`` is the embedded server's directory, where the key of secrets is if the settings
    name none.
    """

    def __init__(self, ledger: Ledger, settings: Settings, data_dir: Path | None = None) -> None:
        self._ledger = ledger
        self._database = ledger.database
        self._settings = settings
        self._data_dir = data_dir
        self._holders = Holders(ledger)
        kinds = ProgramKinds()
        self.inboxes = Inboxes(ledger, kinds)
        self.preferences = NoticePreferences(ledger)
        switches = Switches(enabled=settings.programs, dry_run=settings.dry_run)
        self.maker = Maker(ledger, kinds, mail=settings.smtp_url is not None, switches=switches)
        self.dispatches = Dispatches(ledger.database)
        self.deliveries = Deliveries(ledger.database)
        self.bounces = Bounces(ledger)
        self.texts = Texts(settings.templates)
        self._senders: dict[Channel, Sender] = {}
        self._carriers: list[MailCarrier | WebhookCarrier] = []

    @cached_property
    def endpoints(self) -> Endpoints:
        """Where machines listen; raises `Rejected` ``secrets_key_…`` without a key."""
        return Endpoints(self._database, self._seal, self._settings.webhook_networks)

    async def settings(self) -> NoticeSettings:
        """Show what is in force."""
        return await SettingsBook().show(self._database)

    async def shown(self, holder: str, notices: Sequence[Notice]) -> list[Brief]:
        """Say notices of one holder in two lines each, in the holder's language and zone.

        Who only has a wallet, and no row in the directory, is told in the economy's. A template of
        the operator's that fails is not shown to a holder: ours is.
        """
        if not notices:
            return []
        try:
            reader = await self._reader(await self._holders.get(holder))
        except Missing:
            reader = await self._reader(None)
        said = []
        for number, notice in enumerate(notices):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)  # words take time, and others are served between
            said.append(self._brief(notice.kind, notice.data, reader))
        return said

    def preview(
        self, kind: str, language: str = "en", *, data: Mapping[str, Any] | None = None
    ) -> Rendered:
        """Write a kind as a letter with made-up data, or with these.

        Raises `Invalid` ``notice_kind``, ``notice_language``, ``template_error``.
        """
        return preview_of(self.texts, kind, language, data=data)

    def check_templates(self) -> tuple[Failure, ...]:
        """Try every template that replaces one of ours, in every language; what fails."""
        return self.texts.check()

    async def unsubscribe(self, token: str) -> tuple[str, Kind]:
        """End a kind of e-mail for the holder whose letter had this token; says whose and which.

        Doing it twice is no error. Raises `Invalid` ``unsubscribe_token``.
        """
        holder_id, kind = self._unsubscribing("").open_token(token)
        names = await self._ledger.holders([holder_id])
        if holder_id not in names:
            raise Invalid("unsubscribe_token", "this link is of nobody who is here")
        holder = names[holder_id]
        await self.preferences.change(
            holder,
            choices={kind: {"email": False}},
            actor="api:holder",
            reason="the link in a letter",
        )
        return holder, kind

    async def whose(self, token: str) -> Kind:
        """Say which kind a token would end, and change nothing; `Invalid` ``unsubscribe_token``."""
        return self._unsubscribing("").open_token(token)[1]

    async def ping(self, endpoint_id: int, *, actor: str, reason: str) -> Outcome:
        """Send an endpoint a ``ping`` at once, and tell what it answered; raises `Missing`."""
        check_voice(actor, reason)
        carrier = WebhookCarrier(self._ledger, self._seal, self._settings.webhook_networks)
        try:
            outcome = await carrier.ping(endpoint_id)
        finally:
            await carrier.close()
        async with self._database.transaction() as connection:
            await record(
                connection,
                actor=actor,
                act="webhook.ping",
                subject=f"webhook_{endpoint_id}",
                reason=reason,
                after={"outcome": outcome.outcome, "status": outcome.status},
            )
        return outcome

    async def send_mail(self) -> int:
        """Send the e-mail that is due, until there is none; 0 without a mail server."""
        if self._settings.smtp_url is None:
            return 0
        if Channel.EMAIL not in self._senders:
            link = self._settings.public_url
            carrier = MailCarrier(
                self._ledger,
                self._settings,
                self.settings,
                self.preferences.mail_waits,
                unsubscribing=None if link is None else self._unsubscribing(link),
            )
            self._carriers.append(carrier)
            self._senders[Channel.EMAIL] = Sender(
                self._database, carrier, per_second=self._settings.mail_per_second
            )
        return await self._senders[Channel.EMAIL].send_due()

    async def send_webhooks(self) -> int:
        """Send what is due to machines, until there is nothing; how many attempts that took."""
        if Channel.WEBHOOK not in self._senders:
            try:
                seal = self._seal
            except Rejected as error:
                if error.code == "secrets_key_awaited":
                    raise  # what was restored waits for it
                return 0  # without a key nobody could add an endpoint
            carrier = WebhookCarrier(self._ledger, seal, self._settings.webhook_networks)
            self._carriers.append(carrier)
            self._senders[Channel.WEBHOOK] = Sender(self._database, carrier)
        return await self._senders[Channel.WEBHOOK].send_due()

    async def forget(self) -> int:
        """Forget what is older than the economy keeps: of the inboxes, and of what was sent.

        And of people who have been erased, what a mail server said of their address.
        """
        forgotten = await self.bounces.forget_erased()
        while some := await self.inboxes.forget():
            forgotten += some
        async with self._database.connection() as connection:
            state = await read_state(connection)
        before = state.world_now - timedelta(days=state.settings.keep_days)
        return forgotten + await self.deliveries.forget(before)

    async def close(self) -> None:
        """Give the connections to other servers back."""
        for carrier in self._carriers:
            await carrier.close()

    @cached_property
    def _seal(self) -> Seal:
        return load_seal(self._settings, self._data_dir)

    def _unsubscribing(self, public_url: str) -> Unsubscribing:
        return Unsubscribing(self._seal, public_url)

    async def _reader(self, holder: Holder | None) -> Reader:
        settings = await self.settings()
        locale = None if holder is None else holder.locale
        return Reader(
            language=language_of(locale, self.texts.languages(), settings.language),
            locale=locale,
            zone=(holder and holder.time_zone) or settings.time_zone or _UTC,
            name=(holder and holder.username) or "",
            scales={asset.code: asset.scale for asset in await self._ledger.assets()},
            names=settings.names,
            product=settings.product,
        )

    def _brief(self, kind: Kind, data: Mapping[str, Any], reader: Reader) -> Brief:
        try:
            return self.texts.brief(kind, data, reader)
        except Invalid:
            return self.texts.brief(kind, data, reader, builtin=True)


def preview_of(
    texts: Texts, kind: str, language: str, *, data: Mapping[str, Any] | None = None
) -> Rendered:
    """Write a kind as a letter with made-up data, as `Notices.preview`; it needs no ledger."""
    known = texts.languages()
    if language not in known:
        raise Invalid("notice_language", f"there are texts in {', '.join(known)}")
    chosen = kind_of(kind)
    given = SAMPLES[chosen] if data is None else data
    return texts.render(chosen, given, sample_reader(language))


def kind_of(text: str) -> Kind:
    """Read a kind; raises `Invalid` ``notice_kind``."""
    try:
        return Kind(text)
    except ValueError:
        known = ", ".join((*OF_HOLDERS, Kind.OPERATOR_ALERT, Kind.FAILURE_SUMMARY))
        raise Invalid("notice_kind", f"{text[:40]!r} is no kind of notice: {known}") from None
