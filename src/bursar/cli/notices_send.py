"""``bursar notices send``: making and sending what is due, once (N2, N3)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import typer

from bursar.cli import errors, output
from bursar.cli.noticing import CONNECTIONS, with_notices
from bursar.cli.progress import Meter, meter
from bursar.cli.session import Json, Where
from bursar.ledger import Ledger
from bursar.notices.model import Channel
from bursar.notices.sending.model import COUNTED_TO, Queue
from bursar.notices.service import Notices
from bursar.platform.ending import end
from bursar.platform.errors import Rejected, Unavailable
from bursar.platform.settings import load_settings

_WATCH_S: Final = 0.5


def send(where: Where = None, as_json: Json = False) -> None:
    """Make and send all that is due now, once; a worker does it all the time.

    What fails waits for its next try. It ends with 1 if a delivery was given up meanwhile.
    """

    async def act(notices: Notices, _: Ledger) -> int:
        before = {queue.channel: queue for queue in await notices.deliveries.queues()}
        with meter("making"):
            await notices.maker.make_all_due()
        waiting = sum(queue.waiting for queue in await notices.deliveries.queues())
        with meter("sending", waiting or None, unit="deliveries") as shown:
            async with _watched(notices, waiting, shown):
                mails, hooks = await _both(notices.send_mail, notices.send_webhooks)
        queues = await notices.deliveries.queues()
        tried = {Channel.EMAIL: mails, Channel.WEBHOOK: hooks}
        if as_json:
            output.emit({"items": [_tried(queue, tried[queue.channel]) for queue in queues]})
        else:
            rows = [[str(cell) for cell in _tried(q, tried[q.channel]).values()] for q in queues]
            output.tabulate(["by", "tried>", "waiting>", "parked>"], rows)
            _tell_why(notices, queues)
        worse = any(_worse(queue, before[queue.channel]) for queue in queues)
        return errors.REFUSED if worse else 0

    if code := with_notices(where, act, connections=CONNECTIONS):
        raise typer.Exit(code)


async def _both(
    mail: Callable[[], Awaitable[int]], webhooks: Callable[[], Awaitable[int]]
) -> tuple[int, int]:
    """Send on both channels at once; when one fails the other is broken off in good order."""
    try:
        async with asyncio.TaskGroup() as group:
            mails = group.create_task(_awaited(mail))
            hooks = group.create_task(_awaited(webhooks))
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return mails.result(), hooks.result()


async def _awaited(do: Callable[[], Awaitable[int]]) -> int:
    return await do()


def _worse(now: Queue, before: Queue) -> bool:
    """Say whether more is parked; where so many are that nobody counts them, suppose it."""
    return now.parked > before.parked or now.parked >= COUNTED_TO


def _tried(queue: Queue, tried: int) -> dict[str, object]:
    return {
        "channel": queue.channel,
        "tried": tried,
        "waiting": queue.waiting,
        "parked": queue.parked,
    }


def _tell_why(notices: Notices, queues: tuple[Queue, ...]) -> None:
    """Say why what waits could not be sent, and where one looks for what was given up."""
    if load_settings().smtp_url is None:
        errors.tell("no e-mail is sent: no mail server is named (BURSAR_SMTP_URL)")
    if any(queue.waiting and queue.channel is Channel.WEBHOOK for queue in queues):
        try:
            _ = notices.endpoints
        except Rejected as error:
            errors.tell(f"nothing is sent to webhooks: {error.message}")
    if any(queue.parked for queue in queues):
        errors.tell("what is parked: `bursar notices deliveries --state parked`")


@asynccontextmanager
async def _watched(notices: Notices, waiting: int, shown: Meter) -> AsyncIterator[None]:
    """Move the bar; only where somebody looks at it."""
    if not shown.measured:
        yield
        return

    async def watch() -> None:
        while True:
            left = sum(queue.waiting for queue in await notices.deliveries.queues())
            shown.at(max(waiting - left, 0))
            await asyncio.sleep(_WATCH_S)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        await end([watching])
        with suppress(asyncio.CancelledError, Unavailable):
            await watching
