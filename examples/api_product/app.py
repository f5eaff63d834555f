"""An API that sells calls: it shortens texts, at one credit for each word that it reads.

What a call may cost is set aside before the work, what it has cost is captured after it, and where
the work fails everything is given back. A customer who sends the same `Idempotency-Key` again does
not pay again.
"""

from datetime import timedelta
from typing import Annotated, Final

import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.datastructures import State
from litestar.params import Parameter

from bursar.client import (
    AsyncClient,
    BursarError,
    Conflict,
    InsufficientFunds,
    Missing,
    Rejected,
)

ASSET: Final = "credits"
MOST_WORDS: Final = 50
_LONGEST_WORK: Final = timedelta(minutes=2)

Customer = Annotated[str, Parameter(header="X-Customer", min_length=1, max_length=200)]
CallId = Annotated[str, Parameter(header="Idempotency-Key", min_length=1, max_length=100)]


class Text(msgspec.Struct, frozen=True):
    """What is to be shortened."""

    text: str


class Shortened(msgspec.Struct, frozen=True):
    """The short text, what it has cost, and what is left."""

    short: str
    cost: int
    left: int


@post("/shorten", status_code=200)
async def shorten(state: State, customer: Customer, call_id: CallId, data: Text) -> Shortened:
    """Shorten a text of up to 50 words."""
    bursar: AsyncClient = state.bursar
    wallet = await bursar.wallets.get(customer, ASSET)
    hold = bursar.holds.place(
        customer,
        ASSET,
        MOST_WORDS,
        reference=f"call:{call_id}",
        # were this process to die, the credits come back by themselves
        deadline=wallet.at + _LONGEST_WORK,
        reason="a call of /shorten",
    )
    async with hold as held:
        short, cost = work(data.text)
        paid = await held.capture(cost, reference=f"call:{call_id}:paid", metadata={"words": cost})
    return Shortened(short, cost, paid.balance)


@get("/credits")
async def credits_left(state: State, customer: Customer) -> dict[str, int]:
    """Tell what a customer has."""
    wallet = await state.bursar.wallets.get(customer, ASSET)
    return {"available": wallet.available, "held": wallet.held}


def work(text: str) -> tuple[str, int]:
    """Keep the longest words, in their order; raises ValueError for what it cannot read."""
    words = text.split()
    if not 0 < len(words) <= MOST_WORDS or not text.isprintable():
        raise ValueError(f"a text has 1 to {MOST_WORDS} printable words")
    longest = sorted(words, key=len, reverse=True)[: max(1, len(words) // 3)]
    return " ".join(word for word in words if word in longest), len(words)


def _no_credit(_request: Request, error: InsufficientFunds) -> Response[dict[str, object]]:
    said = {"error": "not enough credits", "available": error.available, "needed": MOST_WORDS}
    return Response(said, status_code=402)


def _bad_text(_request: Request, error: ValueError) -> Response[dict[str, object]]:
    return Response({"error": str(error)}, status_code=422)


def _made_before(_request: Request, _error: BursarError) -> Response[dict[str, object]]:
    """The books know this call's hold: it was paid, or it failed and cost nothing."""
    return Response({"error": "a call of this Idempotency-Key was made before"}, status_code=409)


def _no_account(_request: Request, _error: Missing) -> Response[dict[str, object]]:
    return Response({"error": "no account with credits"}, status_code=404)


def _away(_request: Request, _error: BursarError) -> Response[dict[str, object]]:
    return Response({"error": "try again later; the same call is paid once"}, status_code=503)


def application(bursar: AsyncClient) -> Litestar:
    """Make the app on a Bursar; who makes the client closes it."""
    return Litestar(
        [shorten, credits_left],
        state=State({"bursar": bursar}),
        exception_handlers={
            InsufficientFunds: _no_credit,
            Conflict: _made_before,
            Rejected: _made_before,
            Missing: _no_account,
            BursarError: _away,
            ValueError: _bad_text,
        },
        openapi_config=None,
        logging_config=None,
    )
