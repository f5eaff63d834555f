"""Taking the journal out: as Beancount, and as CSV (L11).

An export is one snapshot, read through a cursor and written piece by piece, so that it agrees in
itself while others post, and takes no more memory for a million entries than for ten. Holders are
named by number: what is exported holds nothing that an erasure would have to find.
"""

import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from bursar.ledger.audit import beancount
from bursar.ledger.audit.journal_line import JournalLine, decimal
from bursar.platform.database import Connection, Database
from bursar.platform.sql import Queries

Write = Callable[[str], object]
Format = Literal["beancount", "csv"]
Pieces = AsyncGenerator[tuple[str, int], None]
"""Texts, one after the other, and how many entries each of them has."""

QUERIES: Final = Queries("bursar.ledger.audit", "export.sql")

_ROWS_A_FETCH: Final = 2_000

CSV_COLUMNS: Final = (
    "recorded_at",  # ISO 8601, UTC
    "posting_id",
    "actor",  # who posted it
    "reason",  # and why
    "holder_id",
    "asset",
    "seq",  # the wallet's entries are numbered from 1
    "kind",
    "amount",  # with the decimal places of the asset, as the next two
    "held_change",
    "balance",  # of the wallet after the entry
    "house_account",  # the other leg, which moves by minus the amount; empty if that is 0
    "reference",
    "source",
    "effective_at",
    "metadata",  # JSON
    "detail",  # JSON: lots, holds, what is reversed
    "key_id",
    "checksum",  # hexadecimal
)

_FORMULA: Final = ("=", "+", "-", "@", "'", "\t", "\r", "\n")


async def export_beancount(database: Database) -> Pieces:
    """Write the whole journal so that `bean-check` accepts it.

    It ends with an assertion of every wallet's and house account's balance, at the day after the
    last entry. Raises `Unavailable` when the database is away.
    """
    last: datetime | None = None
    async with _snapshot(database) as connection:
        yield beancount.title(), 0
        async with aclosing(_lines(connection)) as parts:
            async for lines in parts:
                if last is None:
                    async with aclosing(_open_accounts(connection, lines[0].recorded_at)) as opened:
                        async for text in opened:
                            yield text, 0
                yield "".join(map(beancount.entry_lines, lines)), len(lines)
                last = lines[-1].recorded_at
        if last is not None:
            async with aclosing(_assert_balances(connection, last)) as said:
                async for text in said:
                    yield text, 0


async def export_csv(database: Database) -> Pieces:
    """Write the whole journal as CSV (RFC 4180, `CSV_COLUMNS`).

    A text that a spreadsheet would take for a formula, or that begins with an apostrophe, is
    preceded by one apostrophe; whoever reads the file by program takes that one away again.
    """
    async with _snapshot(database) as connection:
        yield _csv([CSV_COLUMNS]), 0
        async with aclosing(_lines(connection)) as parts:
            async for lines in parts:
                yield _csv(map(_cells, lines)), len(lines)


def pieces(database: Database, format: Format) -> Pieces:  # noqa: A002
    """Take the whole journal out piece by piece: texts, and how many entries each has.

    A connection is held until the last piece is taken or the generator is closed. Raises
    `Unavailable` when the database is away.
    """
    match format:
        case "beancount":
            return export_beancount(database)
        case "csv":
            return export_csv(database)


async def export(database: Database, format: Format, write: Write) -> int:  # noqa: A002
    """Write the whole journal in the format asked for; returns the number of entries."""
    count = 0
    async with aclosing(pieces(database, format)) as parts:
        async for text, entries in parts:
            write(text)
            count += entries
    return count


async def _open_accounts(connection: Connection, first: datetime) -> AsyncGenerator[str, None]:
    day = first.date()
    async with aclosing(_rows(connection, "export_assets")) as parts:
        async for rows in parts:
            yield "".join(beancount.commodity_line(day, code) for code, _ in rows)
    async with aclosing(_rows(connection, "export_house_accounts")) as parts:
        async for rows in parts:
            accounts = (beancount.house_account(name) for (name,) in rows)
            yield "".join(beancount.open_line(day, account) for account in accounts)
    async with aclosing(_rows(connection, "export_holders")) as parts:
        async for rows in parts:
            accounts = (beancount.wallet_account(holder_id) for (holder_id,) in rows)
            yield "".join(beancount.open_line(day, account) for account in accounts)


async def _assert_balances(connection: Connection, last: datetime) -> AsyncGenerator[str, None]:
    """Say what everything comes to; a house total is minus what the accounts' legs add up to."""
    day = last.date() + timedelta(days=1)
    yield "\n"
    async with aclosing(_rows(connection, "export_house_balances")) as parts:
        async for rows in parts:
            yield "".join(
                beancount.balance_line(
                    day, beancount.house_account(account), code, scale, -int(total)
                )
                for account, code, scale, total in rows
            )
    async with aclosing(_rows(connection, "export_wallet_balances")) as parts:
        async for rows in parts:
            yield "".join(
                beancount.balance_line(
                    day, beancount.wallet_account(holder_id), code, scale, -balance
                )
                for holder_id, code, scale, balance in rows
            )


def _csv(rows: Iterable[Sequence[object]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()


def _cells(line: JournalLine) -> Sequence[object]:
    return (
        line.recorded_at.isoformat(),
        line.posting_id,
        _harmless(line.actor),
        _harmless(line.reason),
        line.holder_id,
        line.asset,
        line.seq,
        line.kind,
        decimal(line.amount, line.scale),
        decimal(line.held_change, line.scale),
        decimal(line.balance, line.scale),
        line.house_account,
        _harmless(line.reference),
        _harmless(line.source),
        line.effective_at.isoformat(),
        line.metadata,
        line.detail,
        line.key_id,
        line.checksum.hex(),
    )


def _harmless(text: str | None) -> str | None:
    return f"'{text}" if text is not None and text.startswith(_FORMULA) else text


async def _lines(connection: Connection) -> AsyncGenerator[list[JournalLine], None]:
    async with aclosing(_rows(connection, "export_journal")) as parts:
        async for rows in parts:
            yield [JournalLine(*row) for row in rows]


async def _rows(connection: Connection, query: str) -> AsyncGenerator[list[Any], None]:
    """Read through a server-side cursor, some thousand rows at a time."""
    async with connection.cursor(name=query, binary=True) as cursor:
        await cursor.execute(QUERIES[query])
        while rows := await cursor.fetchmany(_ROWS_A_FETCH):
            yield rows


@asynccontextmanager
async def _snapshot(database: Database) -> AsyncIterator[Connection]:
    async with database.snapshot() as connection:
        await connection.execute("set local work_mem = '64MB'")
        await connection.execute("set local cursor_tuple_fraction = 1")
        yield connection
