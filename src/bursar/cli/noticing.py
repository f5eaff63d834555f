"""Reaching the notices from the command line, and reading how their things are named (N5)."""

import re
from collections.abc import Awaitable, Callable, Collection
from typing import Annotated, Final, TypeVar

import typer
from rich.table import Column

from bursar.cli import output
from bursar.cli.running import notices_of
from bursar.cli.session import with_ledger
from bursar.ledger import Ledger
from bursar.notices.model import Channel, Delivery
from bursar.notices.service import Notices
from bursar.notices.webhooks.model import subject_of
from bursar.platform.errors import Invalid

T = TypeVar("T")

Cursor = Annotated[str | None, typer.Option("--cursor", help="Go on where a page ended.")]

Since = Annotated[str, typer.Option("--since", metavar="INSTANT", help="Made at or after it.")]
Until = Annotated[str, typer.Option("--until", metavar="INSTANT", help="Made before it.")]

CONNECTIONS: Final = 10
"""What sending needs: eight lanes, and who looks on."""


def with_notices(
    where: str | None, use: Callable[[Notices, Ledger], Awaitable[T]], *, connections: int = 2
) -> T:
    """Open the ledger and its notices, use them, close them."""

    async def go(ledger: Ledger) -> T:
        notices = notices_of(ledger, where)
        try:
            return await use(notices, ledger)
        finally:
            await notices.close()

    return with_ledger(where, go, connections=connections)


def number_of(text: str, thing: str, option: str) -> int:
    """Read ``delivery_7`` or ``7``; raises `Invalid` ``option_invalid``."""
    match = re.fullmatch(rf"(?:{thing}_)?([0-9]{{1,18}})", text, re.ASCII)
    if match is None:
        raise Invalid(
            "option_invalid",
            f"{text[:40]!r} is no {thing}; write it like {thing}_7 or 7",
            option=option,
        )
    return int(match[1])


def folded(name: str) -> Column:
    """Make a column whose texts may go over several lines where a terminal is narrow."""
    return Column(name, overflow="fold")


def tell_older(cursor: str | None) -> None:
    """Say how the next page is had, if there is one."""
    if cursor is not None:
        output.say(f"\nthere are older ones: --cursor {cursor}")


async def names_of(ledger: Ledger, holder_ids: Collection[int | None]) -> dict[int, str]:
    """Name holders as the app does; who has no name is ``holder_7``."""
    ids = {number for number in holder_ids if number is not None}
    known = await ledger.holders(ids) if ids else {}
    return {number: known.get(number, f"holder_{number}") for number in ids}


def place_of(delivery: Delivery, names: dict[int, str]) -> str:
    """Say where a delivery goes: an endpoint, a holder, or an operator's address."""
    if delivery.channel is Channel.WEBHOOK:
        return subject_of(delivery.endpoint_id)
    return delivery.address if delivery.holder_id is None else names[delivery.holder_id]
