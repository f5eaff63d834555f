"""Plays a story of one or two wallets and writes it as a table: day, command, entries, after.

A row of the story is ``day | [who:] command``; whoever is not named is ada. Commands:

    grant NAME AMOUNT [expires DAY] [priority N] [origin NAME] [plain]      (also: purchase)
    spend NAME AMOUNT                   hold NAME AMOUNT [until DAY]
    capture NAME HOLD [AMOUNT] [keep]   release NAME HOLD
    reverse NAME TARGET [AMOUNT] [debt | net]
    expire NAME KEEP [ORIGIN]           send NAME AMOUNT TO
    extend NAME until DAY [origin NAME | hold NAME]
    limit NAME AMOUNT                   wait

An entry is written as ``kind amount`` with the lots that it changed, a lot by the name of its
grant (by transfer and number where it came by transfer); `at N` tells an entry dated back. After
it stand the lots that are not empty, in brackets what is held of them, then plain credit, and
what is held and owed in all. What does not fit in a row goes on in the next.
"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise, zip_longest

from bursar.ledger import commands as c
from bursar.ledger.decision.position import Position
from bursar.ledger.model import Entry, LotTerms, WalletKey
from tests.ledger.in_memory import InMemory

DAY_0 = datetime(2030, 1, 1, tzinfo=UTC)
PEOPLE = {"ada": 1, "ben": 2}


def played(table: str) -> str:
    """Play the first two columns of a table, and fill in the others."""
    ledger = InMemory(PEOPLE, {"coins": 1})
    told = [
        cells
        for line in table.strip().splitlines()
        if line.split("|")[0].strip()
        for cells in _tell(ledger, line)
    ]
    widths = [max(len(row[i]) for row in told) for i in range(4)]
    return "\n".join(
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(" ")
        for row in told
    )


def squeezed(table: str) -> list[list[str]]:
    """Take a table apart, so that its widths don't matter."""
    return [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]


def _tell(ledger: InMemory, line: str) -> list[tuple[str, ...]]:
    day, text = (cell.strip() for cell in line.split("|")[:2])
    who, _, words = text.rpartition(": ")
    before = len(ledger.entries)
    now = DAY_0 + timedelta(days=int(day))
    result = ledger.post([_command(who or "ada", words.split())], now)[0]
    entries = ledger.entries[before:]
    said = [_entry(ledger, entry, now) for entry in entries]
    if not result.ok and words != "wait":
        said.append(str(result.status))
    names = {number: name for name, number in PEOPLE.items()}
    seen = dict.fromkeys([PEOPLE[who or "ada"], *(entry.holder_id for entry in entries)])
    after = [_after(ledger, names[n], ledger.positions[WalletKey(n, 1)]) for n in seen]
    return list(zip_longest([day], [text], said, after, fillvalue=""))


def _command(who: str, words: list[str]) -> c.AnyCommand:
    verb, *rest = words
    base = {"holder": who, "asset": "coins", "reference": rest[0] if rest else "waiting"}
    options = dict(pairwise(rest))
    numbers = [int(word) for word in rest[1:3] if word.isdigit()]
    match verb:
        case "grant" | "purchase":
            terms = (
                None
                if "plain" in rest
                else LotTerms(
                    _day(options.get("expires")),
                    int(options.get("priority", 0)),
                    options.get("origin"),
                )
            )
            return c.Credit(**base, amount=numbers[0], kind=verb, lot=terms)
        case "spend":
            return c.Debit(**base, amount=numbers[0])
        case "hold":
            return c.PlaceHold(**base, amount=numbers[0], deadline=_day(options.get("until")))
        case "capture":
            amount = numbers[0] if numbers else None
            return c.Capture(**base, hold=rest[1], amount=amount, keep_rest="keep" in rest)
        case "release":
            return c.Release(**base, hold=rest[1])
        case "reverse":
            amount = numbers[0] if numbers else None
            policy = rest[-1] if rest[-1] in ("debt", "net") else "clip"
            return c.Reverse(**base, target=rest[1], amount=amount, policy=policy)
        case "expire":
            return c.Expire(**base, keep=numbers[0], origin=rest[2] if rest[2:] else None)
        case "extend":
            until = _day(options["until"])
            assert until is not None
            return c.Extend(
                **base, until=until, origin=options.get("origin"), hold=options.get("hold")
            )
        case "send":
            return c.Transfer(**base, amount=numbers[0], to=rest[2])
        case "limit":
            return c.SetLimit(**base, limit=numbers[0])
        case _:
            return c.Release(**base, hold="nothing")


def _day(word: str | None) -> datetime | None:
    return None if word is None else DAY_0 + timedelta(days=int(word))


def _entry(ledger: InMemory, entry: Entry, now: datetime) -> str:
    amount = f"{entry.amount:+}" if entry.amount else "0"
    held = f" held {entry.held_change:+}" if entry.held_change else ""
    lots = entry.detail.lots if entry.detail else ()
    changes = [f"{_name(ledger, entry.holder_id, seq)} {change:+}" for seq, change in lots]
    drawn = [
        f"{_name(ledger, entry.holder_id, seq)} {share}"
        for seq, share in (entry.detail.drawn if entry.detail else ())
    ]
    back = f" at {(entry.effective_at - DAY_0).days}" if entry.effective_at < now else ""
    paid = f" from {', '.join(drawn)}" if drawn else ""
    return (
        f"{entry.kind} {amount}{held}{paid}{_more_time(ledger, entry)}"
        + (f": {', '.join(changes)}" if changes else "")
        + back
    )


def _more_time(ledger: InMemory, entry: Entry) -> str:
    detail = entry.detail
    if detail is None or detail.until is None:
        return ""
    lots = [_name(ledger, entry.holder_id, seq) for seq in detail.extended]
    return f" of {', '.join(lots) or detail.hold} until {(detail.until - DAY_0).days}"


def _name(ledger: InMemory, holder_id: int, seq: int) -> str:
    opened = next(e for e in ledger.entries if (e.holder_id, e.seq) == (holder_id, seq))
    *own, number, reference = ["", "", *opened.reference.split(":")][-4:]
    return f"{reference}.{number}" if own[-1] else reference


def _after(ledger: InMemory, name: str, position: Position) -> str:
    holder_id = position.holder_id
    lots = [
        f"{_name(ledger, holder_id, lot.seq)} {lot.remaining}"
        + (f" ({lot.held})" if lot.held else "")
        for lot in position.lots()
        if lot.remaining or lot.held
    ]
    plain = [f"plain {position.plain}"] if position.plain else []
    held = [f"held {position.held}"] if position.held else []
    owed = [f"owed {position.owed}"] if position.owed else []
    text = ", ".join([*lots, *plain, *held, *owed]) or "nothing"
    return text if name == "ada" else f"{name} has {text}"
