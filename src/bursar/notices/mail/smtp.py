"""Handing letters to a mail server, over a few connections that are used again (N2).

TLS is demanded and certificates are checked, unless the server is on this machine or the setting
says otherwise (see `bursar.platform.smtp_url`). A step of a conversation waits 30 s at most. A
letter whose end the server did not acknowledge counts as failed and goes again: at least once, with
one Message-ID.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

from aiosmtplib import (
    SMTP,
    SMTPConnectError,
    SMTPException,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from bursar.notices.mail.verdicts import OUR_SETTING, Stage, redacted, verdict
from bursar.notices.model import Outcome
from bursar.platform.errors import Invalid
from bursar.platform.smtp_url import MailServer

_MOST_LETTERS: Final = 100
"""So many letters over one connection: servers end those that are used for long."""
_IDLE_S: Final = 30.0
_QUIT_S: Final = 2.0
_CLOSING: Final = 421


class Failed(Exception):
    """A conversation ended before the letter was taken; ``setting`` if ours is to blame.

    ``away`` is whether there was none to speak of: the server is not there, or not for us.
    """

    def __init__(self, outcome: Outcome, *, setting: bool = False) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome
        self.setting = setting
        self.away = False


class _Line:
    """A connection, how many letters it has taken, and since when it has nothing to do."""

    __slots__ = ("free_since", "letters", "smtp")

    def __init__(self, smtp: SMTP) -> None:
        self.smtp = smtp
        self.letters = 0
        self.free_since = 0.0


class Postbox:
    """A mail server; ``lanes`` letters are handed over at once, others wait their turn."""

    def __init__(self, server: MailServer, *, lanes: int = 8, timeout_s: float = 30.0) -> None:
        """Raises `Invalid` ``setting_invalid`` where the file of certificates cannot be read."""
        self.server = server
        self._timeout_s = timeout_s
        self._turns = asyncio.Semaphore(lanes)
        self._free: list[_Line] = []
        self._context = _context(server) if server.tls else None

    async def hand_over(self, sender: str, to: str, letter: bytes) -> None:
        """Have the server take a letter; raises `Failed` with the outcome.

        Broken off, it gives the connection up: who knows what the server is about to say.
        """
        broken_off = _watch()
        async with self._turns:
            line, reused = await self._line(to)
            whole = False
            try:
                line = await self._envelope(line, reused, sender, to)
                broken_off()
                await self._say("recipient", to, line.smtp.rcpt(to))
                broken_off()
                await self._say("content", to, line.smtp.data(letter))
                whole = True
            except Failed as failed:
                whole = failed.outcome.status is not None and await _reset(line.smtp)
                raise
            finally:
                self._give_back(line, keep=whole)

    async def close(self) -> None:
        """Say goodbye to the server, briefly."""
        free, self._free = self._free, []
        await asyncio.gather(*(_goodbye(line.smtp) for line in free))

    async def _envelope(self, line: _Line, reused: bool, sender: str, to: str) -> _Line:
        """Begin a letter; a connection that the server has closed meanwhile is replaced, once."""
        try:
            await self._say("sender", to, line.smtp.mail(sender))
        except Failed as failed:
            if not reused or failed.outcome.status not in (None, _CLOSING):
                raise
            line.smtp.close()
            line.smtp, line.letters = await self._connect(to), 0
            await self._say("sender", to, line.smtp.mail(sender))
        return line

    async def _line(self, to: str) -> tuple[_Line, bool]:
        now = asyncio.get_running_loop().time()
        while self._free:
            line = self._free.pop()
            if line.smtp.is_connected and now - line.free_since < _IDLE_S:
                return line, True
            line.smtp.close()
        return _Line(await self._connect(to)), False

    async def _connect(self, to: str) -> SMTP:
        server = self.server
        smtp = SMTP(
            hostname=server.host,
            port=server.port,
            local_hostname=server.helo or None,
            timeout=self._timeout_s,
            use_tls=server.at_once,
            start_tls=False,
            tls_context=self._context,
        )
        try:
            await self._say("connect", to, smtp.connect())
            if server.tls and not server.at_once:
                await self._say("tls", to, smtp.starttls())
            if server.username:
                await self._say("login", to, smtp.login(server.username, server.password))
        except BaseException as error:
            smtp.close()
            if isinstance(error, Failed):
                error.away = True
            raise
        return smtp

    async def _say(self, stage: Stage, to: str, words: Awaitable[object]) -> None:
        """Wait for the server's answer; whatever goes wrong on the way is `Failed`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await words
        except (SMTPTimeoutError, TimeoutError) as error:
            raise _failed(f"{stage}: no answer in {self._timeout_s:g} s") from error
        except SMTPResponseException as error:
            outcome = verdict(stage, error.code, error.message, to)
            ours = stage in ("tls", "login", "sender") or error.code in OUR_SETTING
            raise Failed(outcome, setting=ours and error.code >= 500) from error
        except SMTPServerDisconnected as error:
            raise _failed(f"{stage}: the connection was lost") from error
        except (SMTPException, OSError, ValueError) as error:
            if (why := _of_tls(error)) is not None:
                raise _failed(redacted(f"tls: {why}", to), setting=True) from error
            if isinstance(error, SMTPConnectError):
                raise _failed(f"connect: {redacted(str(error), to)}"[:300]) from error
            ours = stage in ("tls", "login")
            raise _failed(redacted(f"{stage}: {error}", to), setting=ours) from error

    def _give_back(self, line: _Line, *, keep: bool) -> None:
        line.letters += 1
        if keep and line.smtp.is_connected and line.letters < _MOST_LETTERS:
            line.free_since = asyncio.get_running_loop().time()
            self._free.append(line)
        else:
            line.smtp.close()


def _watch() -> Callable[[], None]:
    """Notice that the task is to end, even where a step has swallowed the word.

    `asyncio.wait_for` of Python 3.11 does so when the answer comes at the same instant.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0

    def look() -> None:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError

    return look


def _context(server: MailServer) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=server.ca or None)
    except OSError as error:  # a file that holds no certificate is an ssl.SSLError, which is one
        raise Invalid(
            "setting_invalid",
            f"BURSAR_SMTP_URL: no certificates can be read from {server.ca}",
            setting="BURSAR_SMTP_URL",
        ) from error


def _failed(detail: str, *, setting: bool = False) -> Failed:
    return Failed(Outcome(outcome="failed", detail=detail), setting=setting)


def _of_tls(error: BaseException | None) -> str | None:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"the certificate is not trusted: {error.verify_message}"
        if isinstance(error, ssl.SSLError):
            return f"no TLS: {error.reason or 'failed'}"
        error = error.__cause__ or error.__context__
    return None


async def _reset(smtp: SMTP) -> bool:
    """Forget a letter that was refused, so that the connection is good for another."""
    try:
        await smtp.rset(timeout=_QUIT_S)
    except (SMTPException, OSError):
        return False
    return True


async def _goodbye(smtp: SMTP) -> None:
    try:
        async with asyncio.timeout(_QUIT_S):
            await smtp.quit()
    except (SMTPException, OSError, TimeoutError):
        pass
    finally:
        smtp.close()
