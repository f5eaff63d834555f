"""The SQL of a check: one slice of the books, in one snapshot of its own (L10).

A posting commits whole or not at all, so any snapshot shows books that must agree in themselves,
and postings that go on meanwhile cannot make a false finding.
"""

import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from typing import Any, Final

import msgspec
from psycopg import DataError
from psycopg.types.numeric import Int2, Int4, Int8

from bursar.ledger.audit.findings import Finding, Outcome, key_of, read_findings
from bursar.ledger.catalogue import Kind
from bursar.ledger.decision.checksum import Seal
from bursar.platform.arrays import texts
from bursar.platform.database import Connection, Database
from bursar.platform.sql import Queries

QUERIES: Final = {
    name: queries[name]
    for queries in (
        Queries("bursar.ledger.audit", "verify_wallets.sql"),
        Queries("bursar.ledger.audit", "verify_parts.sql"),
        Queries("bursar.ledger.audit", "verify_house.sql"),
    )
    for name in queries
}

ENTRIES_A_SLICE: Final = 50_000
"""As many entries join within the slice's working memory; a larger wallet is a slice by itself."""

ENTRIES_A_PASS: Final = 1_000_000
"""House totals and postings only count, and may take more at a time."""

LEAST: Final = -(2**63)
MOST: Final = 2**63 - 1

_ROWS_A_FETCH: Final = 5_000
_DAY_ZERO: Final = date(1970, 1, 1)


class Question(msgspec.Struct, frozen=True):
    """What all slices of a check have in common."""

    database: Database
    seal: Seal
    keyed_since: datetime | None
    room: int

    async def holders(self, after: int, upto: int) -> Outcome:
        """Check the wallets of the holders above ``after`` up to ``upto``.

        Rows that cannot be computed with are narrowed down to their holder.
        """
        try:
            async with self._snapshot() as connection:
                return await self._check_holders(connection, after, upto)
        except DataError as error:
            first, last = await self._extent(after, upto)
            if first is None or last is None:
                raise
            if first == last:
                problem = str(error).strip().split("\n", maxsplit=1)[0]
                finding = Finding("unreadable", key_of({"holder": first}), "sound rows", problem)
                return Outcome(found=1, findings=(finding,))
        middle = (first + last) // 2
        return await self.holders(after, middle) + await self.holders(middle, upto)

    async def house_totals(self, first: int | None, end: int | None) -> Outcome:
        """Check the totals from the day ``first`` to before ``end``, days since 1970-01-01."""
        values = {"first": _day(first), "end": _day(end)}
        return await self._simple("check_house_totals", values)

    async def postings(self, after: int, upto: int) -> Outcome:
        """Check the counts of the postings above ``after`` up to ``upto``."""
        values = {"after": Int8(after), "upto": Int8(upto), "kinds": texts(list(Kind))}
        return await self._simple("check_postings", values)

    async def trial_balance(self) -> Outcome:
        """Check that each asset's wallets and house totals add up to nothing."""
        return await self._simple("check_trial_balance", {})

    async def next_holder(self, after: int, last: int) -> int | None:
        """Say with which holder a slice that begins above ``after`` should end."""
        values = {"after": Int8(after), "last": Int8(last), "size": Int8(ENTRIES_A_SLICE)}
        return await self._number("next_holder", values)

    async def next_posting(self, after: int) -> int | None:
        """Say with which posting a slice that begins above ``after`` should end."""
        values = {"after": Int8(after), "size": Int8(ENTRIES_A_PASS)}
        return await self._number("next_posting", values)

    async def days(self) -> list[tuple[int, int]]:
        """List the days that have totals, since 1970-01-01, and their numbers of entries."""
        async with self._snapshot() as connection:
            rows = await _all(connection, "plan_days", {})
        return [((day - _DAY_ZERO).days, entries) for day, entries in rows]

    async def _check_holders(self, connection: Connection, after: int, upto: int) -> Outcome:
        bounds: dict[str, Any] = {"after": Int8(after), "upto": Int8(upto)}
        key = {"key_id": Int2(self.seal.key_id), "keyed_since": self.keyed_since}
        room = {"room": Int4(self.room)}
        await connection.execute(QUERIES["read_pages"])
        [row] = await _all(connection, "check_chains", bounds | key)
        wallets, entries, unverifiable, keyed, has_parts, floor_tested, sound = row
        results = []
        if not sound:
            rows = await _all(connection, "explain_chains", bounds | key | room)
            results.append(read_findings(rows))
        if keyed:
            results.append(await self._check_seals(connection, bounds))
        if floor_tested:
            results.append(read_findings(await _all(connection, "check_floors", bounds | room)))
        if has_parts:
            results.append(read_findings(await _all(connection, "check_parts", bounds | room)))
        return Outcome(
            wallets=wallets,
            entries=entries,
            unverifiable=unverifiable,
            found=sum(found for _, found in results),
            findings=tuple(finding for findings, _ in results for finding in findings),
        )

    async def _check_seals(
        self, connection: Connection, bounds: dict[str, Any]
    ) -> tuple[tuple[Finding, ...], int]:
        """Recompute what was sealed with our key; the database only sends what was sealed."""
        key = self.seal.key or b""
        damaged: list[tuple[tuple[int, int, int], bytes, bytes]] = []
        last_place: tuple[int, int, int] | None = None
        last_seal = b""
        values = bounds | {"key_id": Int2(self.seal.key_id)}
        async with connection.cursor(name="seals", binary=True) as cursor:
            await cursor.execute(QUERIES["read_seals"], values)
            while rows := await cursor.fetchmany(_ROWS_A_FETCH):
                for holder_id, asset_id, seq, previous, record, checksum in rows:
                    seal = hmac.digest(key, previous + record, "sha256")
                    if seal == checksum:
                        continue
                    follows = last_place == (holder_id, asset_id, seq - 1)
                    last_place = holder_id, asset_id, seq
                    if not follows or hmac.digest(key, last_seal + record, "sha256") != checksum:
                        damaged.append((last_place, seal, checksum))
                    last_seal = seal
        if not damaged:
            return (), 0
        codes = dict(await _all(connection, "asset_codes", {}))
        return tuple(_bad_seal(codes, *one) for one in damaged[: self.room]), len(damaged)

    async def _extent(self, after: int, upto: int) -> tuple[int | None, int | None]:
        """Say which holders a slice really has."""
        async with self._snapshot() as connection:
            values = {"after": Int8(after), "upto": Int8(upto)}
            [row] = await _all(connection, "holder_extent", values)
        return row[0], row[1]

    async def _simple(self, query: str, values: dict[str, Any]) -> Outcome:
        async with self._snapshot() as connection:
            rows = await _all(connection, query, values | {"room": Int4(self.room)})
        findings, found = read_findings(rows)
        return Outcome(found=found, findings=findings)

    async def _number(self, query: str, values: dict[str, Any]) -> int | None:
        async with self._snapshot() as connection:
            rows = await _all(connection, query, values)
        return rows[0][0] if rows else None

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[Connection]:
        """Lend a connection that sees the books as of one moment, and changes nothing."""
        async with self.database.transaction() as connection:
            await connection.execute("set transaction isolation level repeatable read, read only")
            await connection.execute(QUERIES["begin_check"])
            yield connection


async def _all(connection: Connection, query: str, values: dict[str, Any]) -> list[Any]:
    cursor = connection.cursor(binary=True)
    await cursor.execute(QUERIES[query], values)
    return await cursor.fetchall()


def _day(number: int | None) -> date | None:
    return None if number is None else _DAY_ZERO + timedelta(days=number)


def _bad_seal(
    codes: dict[int, str], place: tuple[int, int, int], seal: bytes, checksum: bytes
) -> Finding:
    holder_id, asset_id, seq = place
    return Finding(
        "checksum",
        key_of({"holder": holder_id, "asset": codes.get(asset_id, asset_id), "seq": seq}),
        f"checksum {seal.hex()}",
        f"checksum {checksum.hex()}",
    )
