"""Requests that take long: few at a time, not for ever, and not for a client that has gone."""

import asyncio
from collections.abc import Awaitable
from typing import Final, TypeVar

from litestar.types import Receive

from bursar.platform.ending import end
from bursar.platform.errors import Unavailable

T = TypeVar("T")

LONGEST_S: Final = 60.0


class Turnstile:
    """Lets so many long requests of a process in, so that they never hold every connection."""

    def __init__(self, places: int = 4) -> None:
        self.free = places

    def enter(self) -> None:
        """Take a place, which `leave` gives back; raises `Unavailable` ``too_many_long``."""
        if self.free == 0:
            raise Unavailable(
                "too_many_long", "previews, plans and exports are under way: try again later"
            )
        self.free -= 1

    def leave(self) -> None:
        """Give the place back."""
        self.free += 1


async def patiently(
    work: Awaitable[T], receive: Receive, turnstile: Turnstile, *, longest_s: float = LONGEST_S
) -> T:
    """Do what may take long, unless the client goes away, for a minute at most.

    What it is doing in the database is then canceled. Raises `Unavailable` ``too_long``,
    ``client_gone`` and ``too_many_long``. The body must have been read.
    """
    doing = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(gone(receive))
    entered = False
    try:
        turnstile.enter()
        entered = True
        both = {doing, leaving}
        await asyncio.wait(both, timeout=longest_s, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        if leaving.done():
            raise Unavailable("client_gone", "the client went away before its answer was there")
        raise Unavailable(
            "too_long", f"it takes longer than {longest_s:.0f} s: ask for less, or by command line"
        )
    finally:
        await end([doing, leaving])
        if entered:
            turnstile.leave()


async def gone(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
