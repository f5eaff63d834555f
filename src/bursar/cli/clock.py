"""``bursar clock``: the economy's clock, and that of a sandbox moved ahead (O4)."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Final

import typer

from bursar.cli import output
from bursar.cli.progress import meter
from bursar.cli.running import notices_of, programs_of
from bursar.cli.session import (
    BY_HAND,
    Actor,
    Json,
    Reason,
    Where,
    actor_or_me,
    command_group,
    instant_of,
    with_ledger,
)
from bursar.economy.clock import TestClock
from bursar.economy.model import Clock
from bursar.ledger import Ledger
from bursar.notices.due import DueWork
from bursar.platform.errors import Invalid

app = command_group("Read the economy's clock, and move that of a sandbox ahead.")

_AHEAD: Final = re.compile(r"\+(\d{1,6})([hdw])")
_UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}


@app.command()
def show(where: Where = None, as_json: Json = False) -> None:
    """Show what the clock says, and how far it was moved."""
    _show(with_ledger(where, lambda ledger: _clock(ledger, where).read()), as_json=as_json)


@app.command()
def move(
    instant: Annotated[
        str,
        typer.Argument(
            metavar="INSTANT", help="Until when: 2026-03-31T18:30:00Z, +30d, +12h, +4w."
        ),
    ],
    reason: Reason = BY_HAND,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Move a sandbox's clock ahead, doing everything that falls due on the way.

    Interrupted, it stands where it last stopped; the same instant again goes on from there.
    """

    async def work(ledger: Ledger) -> Clock:
        clock = _clock(ledger, where)
        start = (await clock.read()).now
        target = _target(instant, start)
        total = max(1, int((target - start).total_seconds()))
        with meter("moving the clock", total, wanted=not as_json) as shown:

            def stopped(now: datetime) -> None:
                shown.at(int((now - start).total_seconds()))
                shown.say(f"moving the clock: {output.instant(now)}")

            return await clock.move_to(
                target, actor=actor_or_me(actor), reason=reason, progress=stopped
            )

    _show(with_ledger(where, work), as_json=as_json)


def _clock(ledger: Ledger, where: str | None) -> TestClock:
    return TestClock(ledger, DueWork(programs_of(ledger), notices_of(ledger, where).maker))


def _target(text: str, now: datetime) -> datetime:
    """Read an instant, or a time from now on."""
    ahead = _AHEAD.fullmatch(text)
    if ahead is None:
        return instant_of(text, "INSTANT")
    try:
        return now + timedelta(**{_UNITS[ahead[2]]: int(ahead[1])})
    except OverflowError:
        raise Invalid("option_invalid", f"{text} is too far ahead", option="INSTANT") from None


def _show(clock: Clock, *, as_json: bool) -> None:
    if as_json:
        seconds = int(clock.offset.total_seconds())
        output.emit({"now": clock.now, "offset_s": seconds, "sandbox": clock.sandbox})
        return
    moved = f", {_days(clock.offset)} ahead of the world" if clock.offset else ""
    kind = "a sandbox" if clock.sandbox else "no sandbox"
    output.say(f"{output.instant(clock.now)} UTC ({kind}{moved})")


def _days(offset: timedelta) -> str:
    """Spell an offset to the nearest hour."""
    days, hours = divmod((offset + timedelta(minutes=30)) // timedelta(hours=1), 24)
    return f"{output.counted(days, 'day')} {output.counted(hours, 'hour')}"
