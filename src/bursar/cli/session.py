"""What the commands share: their common options, and the way to the ledger."""

import asyncio
import getpass
import logging
import os
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Final, TypeVar

import typer

from bursar.ledger import Asset, Ledger
from bursar.platform import postgres
from bursar.platform.errors import Invalid, Missing
from bursar.platform.place import Place, find
from bursar.platform.settings import load_settings

T = TypeVar("T")

Where = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="WHERE",
        help="The database: an address (postgresql://…) or a data directory.",
        rich_help_panel="Everywhere",
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Answer in JSON, amounts in minor units.", rich_help_panel="Everywhere"
    ),
]
Holder = Annotated[str, typer.Argument(metavar="HOLDER", help="The app's own id of the holder.")]
AssetCode = Annotated[str, typer.Argument(metavar="ASSET", help="The asset's code.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with what is done.")]
BY_HAND: Final = "by hand"
"""The reason of what is done at the command line without one, where none is demanded."""
Actor = Annotated[
    str | None, typer.Option("--actor", help="Who; by default cli: and your account.")
]
Reference = Annotated[
    str | None,
    typer.Option("--reference", help="Your own reference, to do it once however often you ask."),
]


def with_ledger(
    where: str | None,
    use: Callable[[Ledger], Awaitable[T]],
    *,
    create: bool = False,
    connections: int = 2,
) -> T:
    """Open the ledger, use it, close it; only with ``create`` a new data directory is made."""
    if not create:
        must_exist(place(where))

    # the pool would tell standard error of each attempt; the error itself says enough
    logging.getLogger("psycopg").addHandler(logging.NullHandler())

    async def go() -> T:
        async with await Ledger.open(where, max_connections=connections) as ledger:
            return await use(ledger)

    return asyncio.run(go())


def place(where: str | None) -> Place:
    """Tell where the database is."""
    return find(where, load_settings())


def must_exist(found: Place) -> None:
    """Refuse a directory without data: a typo must not make an empty ledger there."""
    if found.data_dir is not None and postgres.status(found.data_dir).state == "absent":
        raise Missing(
            "ledger_missing",
            f"there is no ledger in {found.data_dir}: make one with `bursar db start`, "
            "or say where it is with --db or BURSAR_DATA_DIR",
            path=str(found.data_dir),
        )


async def asset_named(ledger: Ledger, code: str) -> Asset:
    """Find an asset by its code; raises `Missing`."""
    for asset in await ledger.assets():
        if asset.code == code:
            return asset
    raise Missing("asset_unknown", f"there is no asset {code!r}", asset=code)


def actor_or_me(actor: str | None) -> str:
    """Name who acts: as given, else ``cli:`` and the account of the operating system."""
    if actor is not None:
        return actor
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return f"cli:{os.getuid()}"


def reference_or_new(reference: str | None) -> str:
    """Use the reference given, else one that nobody has used."""
    return f"cli:{secrets.token_hex(8)}" if reference is None else reference


def instant_of(text: str, option: str) -> datetime:
    """Read an instant or a day; without a zone it is UTC, a day is its first instant."""
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(
            "option_invalid",
            f"{option}: {text!r} is no instant; write it like 2026-03-31 or 2026-03-31T18:30:00Z",
            option=option,
        ) from None


def minor_units(text: str, asset: Asset) -> int:
    """Read an amount as it is shown, in the asset's units: ``1 234.50``."""
    whole, _, part = text.replace(" ", "").partition(".")
    digits = part.ljust(asset.scale, "0")
    number = f"{whole}{digits}"
    if not (whole and number.isascii() and number.isdigit()) or len(digits) > asset.scale:
        places = f"{asset.scale} decimal places" if asset.scale else "no decimal places"
        raise Invalid(
            "amount_invalid",
            f"{text!r} is no amount of {asset.code}, which has {places}",
            amount=text,
            scale=asset.scale,
        )
    return int(number)


def command_group(text: str) -> typer.Typer:
    """Make a group of commands."""
    return typer.Typer(
        no_args_is_help=True, help=text, add_completion=False, rich_markup_mode="markdown"
    )


def single_command() -> typer.Typer:
    """Make what holds one command."""
    return typer.Typer(add_completion=False, rich_markup_mode="markdown")
