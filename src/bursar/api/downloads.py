"""Long answers, streamed: begun before the status is sent, ended when the client goes."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Final

from bursar.api.patience import Turnstile
from bursar.ledger.audit.export import Format, Pieces

MEDIA_TYPES: Final[Mapping[Format, str]] = {
    "csv": "text/csv",
    "beancount": "text/plain",
}


async def begun(pieces: Pieces, turnstile: Turnstile) -> AsyncIterator[str]:
    """Wait for the first piece, so that a database that is away is told in the status.

    Raises what it raises, and `Unavailable` ``too_many_long``. Its place at the turnstile is given
    back when the last piece is taken, or when nobody holds the answer any more.
    """
    answer = _passing(pieces, turnstile)
    await anext(answer)
    return answer


async def _passing(pieces: Pieces, turnstile: Turnstile) -> AsyncGenerator[str, None]:
    turnstile.enter()
    try:
        async with aclosing(pieces):
            first, _ = await anext(pieces)
            yield ""  # for `begun`
            yield first
            async for text, _ in pieces:
                yield text
    finally:
        turnstile.leave()
