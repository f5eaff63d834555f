"""A real mail server on the loopback, in a thread of its own, that does what a test says."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from tests.support.running import PATIENCE_S, kept_port

Answer = Callable[[str], str | None]


class Office:
    """What it has taken, and what it says: ``rcpt`` and ``data`` give other answers than 250.

    A test may have it ``drop`` a connection in the middle of a letter, or be ``silent`` about a
    recipient for good.
    """

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.to: list[str] = []
        self.conversations = 0
        self.rcpt: Answer = lambda _: None
        self.data: Answer = lambda _: None
        self.mail: Answer = lambda _: None
        self.drop = False
        self.silent = False

    @property
    def letters(self) -> list[EmailMessage]:
        return [message_from_bytes(raw, policy=policy.default) for raw in self.raw]  # type: ignore[misc]

    async def handle_EHLO(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.conversations += 1
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        envelope.mail_from = address
        return self.mail(address) or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        said = self.rcpt(address)
        if self.silent:
            await asyncio.get_running_loop().create_future()
        if said is None:
            envelope.rcpt_tos.append(address)
        return said or "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if (said := self.data(envelope.rcpt_tos[0])) is None:
            self.raw.append(envelope.content)
            self.to += envelope.rcpt_tos
        return said or "250 OK"


class _Dropping(SMTP):
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        if not self.event_handler.drop:
            await super().smtp_DATA(arg)
            return
        await self.push("354 go on")
        await self._reader.readline()
        assert self.transport is not None
        self.transport.abort()


class _Controller(Controller):
    def factory(self) -> SMTP:
        return _Dropping(self.handler, **self.SMTP_kwargs)


@contextmanager
def office(
    *,
    smtps: ssl.SSLContext | None = None,
    starttls: ssl.SSLContext | None = None,
    password: str = "",
    handler: Office | None = None,
) -> Iterator[tuple[Office, int]]:
    """Open a server; it and its port."""
    handler = handler or Office()

    def may(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        right = data.password == password.encode()
        return AuthResult(success=right, handled=right)

    with kept_port() as port:
        controller = _Controller(
            handler,
            hostname="127.0.0.1",
            port=port,
            ssl_context=smtps,
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=may if password else None,
            auth_required=bool(password),
            auth_require_tls=False,
            ready_timeout=PATIENCE_S,
        )
        controller.start()
        try:
            handler.conversations = 0
            yield handler, port
        finally:
            controller.stop()
