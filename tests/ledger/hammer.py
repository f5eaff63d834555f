"""A process full of careless clients: all of them want the same things, in orders of their own."""

import asyncio
from random import Random
from typing import NamedTuple

import msgspec

from bursar.ledger import commands as c
from bursar.ledger.model import LotTerms, Result
from bursar.ledger.service import Ledger
from bursar.platform.database import Database

PATIENCE_S = 30
"""Nobody waits longer for an answer, however many want the same wallet."""


class Answer(NamedTuple):
    """What somebody was told; ``checksum`` tells one entry from another."""

    wallet: str
    reference: str
    status: str
    checksum: str | None


def wishes(seed: int, wallets: list[str], count: int) -> list[list[c.AnyCommand]]:
    """List what everybody wants: single commands, and groups across wallets.

    The first is a group that nothing can refuse, so that one lands whatever the order.
    """
    random = Random(seed)
    listed: list[list[c.AnyCommand]] = [
        [
            c.Credit(holder=wallet, asset="coins", reference="gift", amount=7, group="gift")
            for wallet in dict.fromkeys((*wallets, "ann", "bob"))
        ]
    ]
    for number in range(count):
        if random.randrange(5):
            listed.append([_wish(random, random.choice(wallets), f"w{number}", number)])
            continue
        members = [
            _wish(random, random.choice(wallets), f"w{number}.{member}", number)
            for member in range(random.randint(2, 4))
        ]
        listed.append([msgspec.structs.replace(m, group=f"g{number}") for m in members])
    return listed


def _wish(random: Random, wallet: str, reference: str, number: int) -> c.AnyCommand:
    common = {"holder": wallet, "asset": "coins", "reference": reference}
    amount = random.choice((1, 5, 20, 60))
    earlier = f"w{random.randrange(number + 1)}"
    match random.randrange(9):
        case 0 | 1:
            return c.Credit(**common, amount=amount)
        case 2:
            return c.Credit(**common, amount=amount, lot=LotTerms(priority=random.choice((0, 1))))
        case 3:
            return c.Debit(**common, amount=amount)
        case 4:
            return c.PlaceHold(**common, amount=amount)
        case 5:
            return c.Capture(**common, hold=earlier, keep_rest=bool(amount % 2))
        case 6:
            return c.Release(**common, hold=earlier)
        case 7:
            return c.Reverse(**common, target=earlier, policy="clip")
        case _:
            to = "bob" if wallet != "bob" else "ann"
            return c.Transfer(**common, to=to, amount=amount)


def hammer(url: str, number: int, seed: int, wallets: list[str], count: int) -> list[Answer]:
    """Run one process; returns every answer that anybody in it got."""
    return asyncio.run(_process(url, number, seed, wallets, count))


async def _process(
    url: str, number: int, seed: int, wallets: list[str], count: int
) -> list[Answer]:
    database = Database(url, max_connections=4)
    await database.open()
    async with Ledger(database) as ledger:
        clients = [
            _client(ledger, Random(f"{seed}.{number}.{client}"), wishes(seed, wallets, count))
            for client in range(4)
        ]
        return [answer for answers in await asyncio.gather(*clients) for answer in answers]


async def _client(ledger: Ledger, random: Random, wanted: list[list[c.AnyCommand]]) -> list[Answer]:
    """Ask for everything in some order, a few wishes at a time."""
    random.shuffle(wanted)
    answers: list[Answer] = []
    while wanted:
        size = random.choice((1, 1, 2, 5))
        batch = [command for wish in wanted[:size] for command in wish]
        wanted = wanted[size:]
        async with asyncio.timeout(PATIENCE_S):
            results = await _ask(ledger, random, batch)
        answers += map(_answer, batch, results)
    return answers


async def _ask(ledger: Ledger, random: Random, batch: list[c.AnyCommand]) -> list[Result]:
    if len(batch) == 1 and random.randrange(2):
        return [await ledger.submit(batch[0], actor="hammer", reason="submit")]
    return await ledger.post(batch, actor="hammer", reason="post")


def _answer(command: c.AnyCommand, result: Result) -> Answer:
    checksum = None if result.entry is None else result.entry.checksum.hex()
    return Answer(command.holder or "", command.reference, str(result.status), checksum)
