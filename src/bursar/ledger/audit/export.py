"""Taking the journal out: as Beancount, and as CSV (L11).

An export is one snapshot, read through a cursor and written piece by piece, so that it agrees in
itself while others post, and takes no more memory for a million entries than for ten. Holders are
named by number: what is exported holds nothing that an erasure would have to find.
"""

import csv
import io
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from bursar.ledger.audit import beancount
from bursar.ledger.audit.journal_line import JournalLine, decimal
from bursar.ledger.model import LONG_AGO
from bursar.platform.database import Connection, Database
from bursar.platform.sql import Queries

Write = Callable[[str], object]
Format = Literal["beancount", "csv"]

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


async def export_beancount(database: Database, write: Write) -> int:
    """Write the whole journal so that `bean-check` accepts it; returns the number of entries.

    It ends with an assertion of every wallet's and house account's balance, at the day after the
    last entry. Raises `Unavailable` when the database is away.
    """
    count, last = 0, LONG_AGO
    write(beancount.title())
    async with _snapshot(database) as connection:
        async for lines in _lines(connection):
            if not count:
                await _open_accounts(connection, write, lines[0].recorded_at)
            write("".join(map(beancount.entry_lines, lines)))
            count += len(lines)
            last = lines[-1].recorded_at
        if count:
            await _assert_balances(connection, write, last)
    return count


async def export_csv(database: Database, write: Write) -> int:
    """Write the whole journal as CSV (RFC 4180, `CSV_COLUMNS`); returns the number of entries.

    A text that a spreadsheet would take for a formula, or that begins with an apostrophe, is
    preceded by one apostrophe; whoever reads the file by program takes that one away again.
    """
    count = 0
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(CSV_COLUMNS)
    async with _snapshot(database) as connection:
        async for lines in _lines(connection):
            writer.writerows(map(_cells, lines))
            count += len(lines)
            write(buffer.getvalue())
            buffer.seek(0)
            buffer.truncate()
    write(buffer.getvalue())
    return count


async def export(database: Database, format: Format, write: Write) -> int:  # noqa: A002
    """Write the whole journal in the format asked for; returns the number of entries."""
    match format:
        case "beancount":
            return await export_beancount(database, write)
        case "csv":
            return await export_csv(database, write)


async def _open_accounts(connection: Connection, write: Write, first: datetime) -> None:
    day = first.date()
    async for rows in _rows(connection, "export_assets"):
        write("".join(beancount.commodity_line(day, code) for code, _ in rows))
    async for rows in _rows(connection, "export_house_accounts"):
        accounts = (beancount.house_account(name) for (name,) in rows)
        write("".join(beancount.open_line(day, account) for account in accounts))
    async for rows in _rows(connection, "export_holders"):
        accounts = (beancount.wallet_account(holder_id) for (holder_id,) in rows)
        write("".join(beancount.open_line(day, account) for account in accounts))


async def _assert_balances(connection: Connection, write: Write, last: datetime) -> None:
    """Say what everything comes to; a house total is minus what the accounts' legs add up to."""
    day = last.date() + timedelta(days=1)
    write("\n")
    async for rows in _rows(connection, "export_house_balances"):
        for account, code, scale, total in rows:
            name = beancount.house_account(account)
            write(beancount.balance_line(day, name, code, scale, -int(total)))
    async for rows in _rows(connection, "export_wallet_balances"):
        write(
            "".join(
                beancount.balance_line(
                    day, beancount.wallet_account(holder_id), code, scale, -balance
                )
                for holder_id, code, scale, balance in rows
            )
        )


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


async def _lines(connection: Connection) -> AsyncIterator[list[JournalLine]]:
    async for rows in _rows(connection, "export_journal"):
        yield [JournalLine(*row) for row in rows]


async def _rows(connection: Connection, query: str) -> AsyncIterator[list[Any]]:
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
