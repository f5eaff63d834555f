"""A ledger so plain that one can see that it is right: lists, dicts and deep copies.

It is written from the requirements and the catalogue of movements, and shares only the words
with the ledger itself (commands, terms, statuses). Credit lies in parcels, in `plain`, or in
holds; debt is plain credit below zero, so whatever flows back pays debt before any parcel.
"""

import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from bursar.ledger import commands as c
from bursar.ledger.model import MAX_AMOUNT, Status

RANK = list(Status)
NEVER = datetime.max.replace(tzinfo=UTC)
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
HOUSE = {
    "grant": "issuance",
    "earn": "issuance",
    "purchase": "sales",
    "refund": "revenue",
    "opening": "opening",
    "adjust": "adjustment",
    "spend": "revenue",
}
REVERSIBLE = {*HOUSE, "capture", "transfer_out"}

Name = tuple[str, str]
"""``(holder, asset)``."""


class Refused(Exception):
    """A command is refused: of the reasons that apply the first in rank counts."""

    def __init__(self, *reasons: Status) -> None:
        self.status = min(reasons, key=RANK.index)


@dataclass
class Parcel:
    """A lot; ``since`` is when credit flowed back into it after its date."""

    seq: int
    priority: int
    expires_at: datetime | None
    origin: str | None
    left: int = 0
    held: int = 0
    since: datetime = LONG_AGO


@dataclass
class Paid:
    """What paid for something: parcels in the order drawn, and plain credit after them."""

    parcels: list[list[int]]
    plain: int


@dataclass
class Hold:
    """Credit set aside."""

    seq: int
    left: int
    deadline: datetime | None
    paid: Paid
    state: str = "open"


@dataclass
class Line:
    """An entry; ``lots`` says by how much each parcel changed."""

    seq: int
    kind: str
    amount: int
    held_change: int
    balance: int
    reference: str
    house_account: str | None
    effective_at: datetime
    recorded_at: datetime
    lots: dict[int, int]
    command: c.AnyCommand | None = None
    paid: Paid | None = None
    undone: int = 0
    receiver: Name | None = None
    legs: list[int] = field(default_factory=list)


@dataclass
class Wallet:
    """One holder's credit in one asset."""

    plain: int = 0
    parcels: dict[int, Parcel] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    limit: int = 0
    state: str = "active"
    owed: int = 0

    @property
    def held(self) -> int:
        return sum(hold.left for hold in self.holds.values())

    @property
    def available(self) -> int:
        return self.plain + sum(parcel.left for parcel in self.parcels.values())

    @property
    def balance(self) -> int:
        return self.available + self.held

    @property
    def room(self) -> int:
        return self.available + self.limit

    def line(self, reference: str) -> Line | None:
        return next((line for line in self.lines if line.reference == reference), None)

    def take(self, amount: int, first: list[int] | None = None) -> Paid:
        """Draw: ``first``, then by priority, soonest expiry, oldest; plain follows priority 0."""
        order = [self.parcels[seq] for seq in first or [] if seq in self.parcels]
        others = [p for p in self.parcels.values() if p not in order]
        others.sort(key=lambda p: (p.priority, p.expires_at or NEVER, p.seq))
        before = [*order, *(p for p in others if p.priority <= 0)]
        after = [p for p in others if p.priority > 0]
        paid = Paid([], 0)
        left = self._draw(before, amount, paid)
        of_plain = min(left, max(0, self.plain))
        left = self._draw(after, left - of_plain, paid)
        paid.plain = of_plain + left
        self.plain -= paid.plain
        return paid

    def _draw(self, parcels: list[Parcel], left: int, paid: Paid) -> int:
        for parcel in parcels:
            part = min(left, parcel.left)
            if part:
                parcel.left -= part
                left -= part
                paid.parcels.append([parcel.seq, part])
        return left

    def put(self, shares: list[list[int]], plain: int, at: datetime, now: datetime) -> None:
        """Let credit flow back; debt takes of the plain part, then of the last shares."""
        self.plain += plain
        for seq, share in reversed(shares):
            debt = min(share, max(0, -self.plain))
            self.plain += debt
            if share > debt:
                parcel = self.parcels[seq]
                parcel.left += share - debt
                if parcel.expires_at is not None and parcel.expires_at <= now:
                    parcel.since = at


class Model:
    """The whole economy."""

    def __init__(self, holders: dict[str, int]) -> None:
        self.numbers = holders
        self.wallets: dict[Name, Wallet] = {}
        self.now = LONG_AGO

    def post(self, batch: list[c.AnyCommand], now: datetime) -> list[tuple[Status, Line | None]]:
        """Apply a batch: groups whole, where the first of them stands."""
        self.now = now
        answers: dict[int, tuple[Status, Line | None]] = {}
        for i, command in enumerate(batch):
            if i in answers:
                continue
            if command.group is None:
                answers[i] = self.one(command)
                continue
            members = [n for n, other in enumerate(batch) if other.group == command.group]
            before = copy.deepcopy(self.wallets)
            for n in members:
                answers[n] = self.one(batch[n])
                if answers[n][1] is None and len(members) > 1:
                    self.wallets = before
                    answers.update((m, (Status.GROUP_REFUSED, None)) for m in members if m != n)
                    break
        return [answers[i] for i in range(len(batch))]

    def one(self, command: c.AnyCommand) -> tuple[Status, Line | None]:
        """Apply one command, or say why not."""
        name = (command.holder, command.asset)
        wallet = self.wallets.get(name)
        was = wallet.line(command.reference) if wallet else None
        if isinstance(command, c.Transfer) and command.to == command.holder:
            return Status.INVALID, None
        if was is not None:
            if differing(command, was.command):
                return Status.REFERENCE_CONFLICT, None
            return Status.REPLAYED, was
        try:
            return Status.APPLIED, self.apply(command, name)
        except Refused as refused:
            return refused.status, None

    def apply(self, command: c.AnyCommand, name: Name) -> Line:
        self.check_time(command)
        opener = isinstance(command, c.Credit | c.SetLimit | c.SetState)
        wallet = self.wallets.get(name)
        if wallet is None and not opener:
            raise Refused(Status.WALLET_UNKNOWN)
        if wallet is None:
            wallet = Wallet()
        self.settle(wallet)
        states = [wallet.state]
        other = self.other_side(command, wallet, name)
        if other is not None:
            self.settle(other)
            states.append(other.state)
        if "closed" in states and not isinstance(command, c.SetState):
            raise Refused(Status.WALLET_CLOSED)
        giving = isinstance(command, c.Debit | c.PlaceHold | c.Transfer)
        if "frozen" in states and giving:
            raise Refused(Status.WALLET_FROZEN)
        done: Line = getattr(self, type(command).__name__.lower())(command, wallet, name)
        self.wallets[name] = wallet
        done.command = command
        return done

    def check_time(self, command: c.AnyCommand) -> None:
        dates = [
            getattr(command, "deadline", None),
            getattr(getattr(command, "lot", None), "expires_at", None),
            getattr(command, "until", None),
        ]
        late = command.effective_at is not None and command.effective_at > self.now
        if late or any(date is not None and date <= self.now for date in dates):
            raise Refused(Status.TIME_OUT_OF_RANGE)

    def other_side(self, command: c.AnyCommand, wallet: Wallet, name: Name) -> Wallet | None:
        if isinstance(command, c.Transfer):
            return self.wallets.get((command.to, name[1]))
        if isinstance(command, c.Reverse):
            target = wallet.line(command.target)
            if target is not None and target.receiver is not None:
                return self.wallets[target.receiver]
        return None

    def enter(
        self,
        wallet: Wallet,
        command: c.AnyCommand | None,
        kind: str,
        amount: int,
        held_change: int,
        reference: str,
        house_account: str | None,
        lots_before: dict[int, int],
        effective_at: datetime | None = None,
    ) -> Line:
        """Write the line after the wallet has been changed."""
        recorded_at = self.recorded_at(wallet)
        if command is not None:
            effective_at = command.effective_at
        now_lots = remainders(wallet)
        changes = {s: n - lots_before.get(s, 0) for s, n in now_lots.items()}
        before = wallet.lines[-1].balance if wallet.lines else 0
        line = Line(
            seq=len(wallet.lines) + 1,
            kind=kind,
            amount=amount,
            held_change=held_change,
            balance=before + amount,
            reference=reference,
            house_account=house_account if amount else None,
            effective_at=effective_at or recorded_at,
            recorded_at=recorded_at,
            lots={s: change for s, change in changes.items() if change},
        )
        wallet.lines.append(line)
        return line

    def recorded_at(self, wallet: Wallet) -> datetime:
        """The clock may be set back, a wallet's lines never go back."""
        return max(self.now, wallet.lines[-1].recorded_at) if wallet.lines else self.now

    def at(self, wallet: Wallet, command: c.AnyCommand) -> datetime:
        """When a command takes effect."""
        return command.effective_at or self.recorded_at(wallet)

    def settle(self, wallet: Wallet) -> None:
        """Let happen what is due, one thing after the other in the order of time."""
        while True:
            lapses = [
                (hold.deadline, 0, hold.seq, reference)
                for reference, hold in wallet.holds.items()
                if hold.state == "open" and hold.deadline is not None and hold.deadline <= self.now
            ]
            expiries = [
                (max(p.expires_at, p.since), 1, p.seq, "")
                for p in wallet.parcels.values()
                if p.left and p.expires_at is not None and p.expires_at <= self.now
            ]
            due = sorted([*lapses, *expiries])
            if not due:
                return
            at, _, seq, reference = due[0]
            lots = remainders(wallet)
            if reference:
                left = self.end(wallet, wallet.holds[reference], "lapsed", at)
                own = f"bursar:lapse:{len(wallet.lines) + 1}"
                self.enter(wallet, None, "lapse", 0, -left, own, None, lots, at)
            else:
                left, wallet.parcels[seq].left = wallet.parcels[seq].left, 0
                own = f"bursar:expire:{len(wallet.lines) + 1}"
                self.enter(wallet, None, "expire", -left, 0, own, "breakage", lots, at)

    def end(self, wallet: Wallet, hold: Hold, state: str, at: datetime) -> int:
        """Give back what a hold still has."""
        left, hold.left, hold.state = hold.left, 0, state
        for seq, share in hold.paid.parcels:
            wallet.parcels[seq].held -= share
        wallet.put(hold.paid.parcels, hold.paid.plain, at, self.now)
        hold.paid = Paid([], 0)
        return left

    def credit(self, command: c.Credit, wallet: Wallet, _name: Name) -> Line:
        if wallet.balance + command.amount > MAX_AMOUNT:
            raise Refused(Status.BALANCE_OVERFLOW)
        house = command.house_account or HOUSE[command.kind]
        line = self.give(wallet, command, command.kind, command.amount, command.reference, house)
        if command.kind in ("grant", "earn"):
            part = min(wallet.owed, command.amount, max(0, wallet.available))
            if part:
                lots = remainders(wallet)
                wallet.take(part, [line.seq])
                wallet.owed -= part
                own = f"bursar:withhold:{len(wallet.lines) + 1}"
                self.enter(wallet, None, "withhold", -part, 0, own, "adjustment", lots)
        return line

    def give(
        self,
        wallet: Wallet,
        command: c.AnyCommand,
        kind: str,
        amount: int,
        reference: str,
        house: str,
        terms: Parcel | None = None,
    ) -> Line:
        """Let credit in: into a parcel of its own if it has terms, else into plain."""
        lot = terms or getattr(command, "lot", None)
        lots = remainders(wallet)
        seq = len(wallet.lines) + 1
        if lot is None:
            wallet.plain += amount
        else:
            wallet.parcels[seq] = Parcel(seq, lot.priority, lot.expires_at, lot.origin)
            wallet.put([[seq, amount]], 0, LONG_AGO, LONG_AGO)
        return self.enter(wallet, command, kind, amount, 0, reference, house, lots)

    def debit(self, command: c.Debit, wallet: Wallet, _name: Name) -> Line:
        if command.amount > wallet.room:
            raise Refused(Status.INSUFFICIENT_FUNDS)
        lots = remainders(wallet)
        paid = wallet.take(command.amount)
        house = command.house_account or HOUSE[command.kind]
        amount, reference = -command.amount, command.reference
        line = self.enter(wallet, command, command.kind, amount, 0, reference, house, lots)
        line.paid = paid
        return line

    def placehold(self, command: c.PlaceHold, wallet: Wallet, _name: Name) -> Line:
        if wallet.held + command.amount > MAX_AMOUNT:
            raise Refused(Status.BALANCE_OVERFLOW)
        if command.amount > wallet.room:
            raise Refused(Status.INSUFFICIENT_FUNDS)
        lots = remainders(wallet)
        paid = wallet.take(command.amount)
        for seq, share in paid.parcels:
            wallet.parcels[seq].held += share
        seq = len(wallet.lines) + 1
        wallet.holds[command.reference] = Hold(seq, command.amount, command.deadline, paid)
        return self.enter(wallet, command, "hold", 0, command.amount, command.reference, None, lots)

    def open_hold(self, wallet: Wallet, reference: str) -> Hold:
        if reference not in wallet.holds:
            raise Refused(Status.HOLD_UNKNOWN)
        if wallet.holds[reference].state != "open":
            raise Refused(Status.HOLD_ENDED)
        return wallet.holds[reference]

    def capture(self, command: c.Capture, wallet: Wallet, _name: Name) -> Line:
        hold = self.open_hold(wallet, command.hold)
        amount = command.amount or hold.left
        if amount > hold.left:
            raise Refused(Status.HOLD_EXCEEDED)
        if wallet.balance - amount < -MAX_AMOUNT:
            raise Refused(Status.BALANCE_OVERFLOW)
        lots = remainders(wallet)
        before = hold.left
        paid, left = Paid([], 0), amount
        for share in hold.paid.parcels:
            part = min(left, share[1])
            if part:
                share[1] -= part
                left -= part
                wallet.parcels[share[0]].held -= part
                paid.parcels.append([share[0], part])
        paid.plain = left
        hold.paid.plain -= left
        hold.paid.parcels = [share for share in hold.paid.parcels if share[1]]
        hold.left -= amount
        if not hold.left or not command.keep_rest:
            self.end(wallet, hold, "captured", self.at(wallet, command))
        change = hold.left - before
        house = command.house_account or "revenue"
        ref = command.reference
        line = self.enter(wallet, command, "capture", -amount, change, ref, house, lots)
        line.paid = paid
        self.settle(wallet)
        return line

    def release(self, command: c.Release, wallet: Wallet, _name: Name) -> Line:
        hold = self.open_hold(wallet, command.hold)
        lots = remainders(wallet)
        left = self.end(wallet, hold, "released", self.at(wallet, command))
        line = self.enter(wallet, command, "release", 0, -left, command.reference, None, lots)
        self.settle(wallet)
        return line

    def transfer(self, command: c.Transfer, wallet: Wallet, name: Name) -> Line:
        to = (command.to, name[1])
        receiver = self.wallets.get(to) or Wallet()
        if receiver.balance + command.amount > MAX_AMOUNT:
            raise Refused(Status.BALANCE_OVERFLOW)
        if command.amount > wallet.room:
            raise Refused(Status.INSUFFICIENT_FUNDS)
        lots = remainders(wallet)
        paid = wallet.take(command.amount)
        ref = command.reference
        line = self.enter(wallet, command, "transfer_out", -command.amount, 0, ref, "transit", lots)
        line.paid, line.receiver = paid, to
        parts = [(share, wallet.parcels[seq]) for seq, share in paid.parcels]
        if paid.plain:
            parts.append((paid.plain, None))
        for number, (share, parcel) in enumerate(parts):
            far = f"bursar:from:{self.numbers[name[0]]}:{number}:{ref}"
            inward = self.give(receiver, command, "transfer_in", share, far, "transit", parcel)
            line.legs.append(inward.seq)
        self.wallets[to] = receiver
        return line

    def reverse(self, command: c.Reverse, wallet: Wallet, name: Name) -> Line:
        target = wallet.line(command.target)
        if target is None:
            raise Refused(Status.ENTRY_UNKNOWN)
        if target.kind not in REVERSIBLE or (target.receiver and command.policy == "net"):
            raise Refused(Status.NOT_REVERSIBLE)
        left = abs(target.amount) - target.undone
        want = command.amount or left
        if want > left or left == 0:
            raise Refused(Status.REVERSAL_EXCEEDED)
        if target.receiver is not None:
            return self.undo_transfer(command, wallet, name, target, want)
        if target.amount > 0:
            return self.take_back(command, wallet, target, want)
        if wallet.balance + want > MAX_AMOUNT:
            raise Refused(Status.BALANCE_OVERFLOW)
        return self.give_back(command, wallet, target, want, target.house_account)

    def taken(self, command: c.Reverse, wallet: Wallet, want: int) -> int:
        taken = want if command.policy == "debt" else min(want, max(0, wallet.available))
        if wallet.balance - taken < -MAX_AMOUNT:
            raise Refused(Status.BALANCE_OVERFLOW)
        return taken

    def take_back(self, command: c.Reverse, wallet: Wallet, target: Line, want: int) -> Line:
        taken = self.taken(command, wallet, want)
        owed = want - taken if command.policy == "net" else 0
        if wallet.owed + owed > MAX_AMOUNT:
            raise Refused(Status.BALANCE_OVERFLOW)
        lots = remainders(wallet)
        wallet.take(taken, [target.seq])
        wallet.owed += owed
        target.undone += taken + owed
        house = target.house_account
        return self.enter(wallet, command, "reverse", -taken, 0, command.reference, house, lots)

    def give_back(
        self, command: c.Reverse, wallet: Wallet, target: Line, amount: int, house: str | None
    ) -> Line:
        """Return to those who paid: plain first, then parcels, the last drawn first."""
        lots = remainders(wallet)
        paid, left = target.paid, amount
        plain = min(left, paid.plain)
        paid.plain -= plain
        left -= plain
        back = []
        for share in reversed(paid.parcels):
            part = min(left, share[1])
            if part:
                share[1] -= part
                left -= part
                back.append([share[0], part])
        wallet.put(back, plain, self.at(wallet, command), self.now)
        target.undone += amount
        line = self.enter(wallet, command, "reverse", amount, 0, command.reference, house, lots)
        self.settle(wallet)
        return line

    def undo_transfer(
        self, command: c.Reverse, wallet: Wallet, name: Name, target: Line, want: int
    ) -> Line:
        receiver = self.wallets[target.receiver]
        taken = self.taken(command, receiver, want)
        if wallet.balance + taken > MAX_AMOUNT:
            raise Refused(Status.BALANCE_OVERFLOW)
        lots = remainders(receiver)
        receiver.take(taken, target.legs)
        far = f"bursar:from:{self.numbers[name[0]]}:0:{command.reference}"
        self.enter(receiver, command, "reverse", -taken, 0, far, "transit", lots)
        return self.give_back(command, wallet, target, taken, "transit")

    def setlimit(self, command: c.SetLimit, wallet: Wallet, _name: Name) -> Line:
        wallet.limit = command.limit
        ref = command.reference
        return self.enter(wallet, command, "limit", 0, 0, ref, None, remainders(wallet))

    def setstate(self, command: c.SetState, wallet: Wallet, _name: Name) -> Line:
        if command.state == "closed" and (wallet.balance or wallet.held or wallet.owed):
            raise Refused(Status.WALLET_NOT_EMPTY)
        wallet.state = str(command.state)
        ref = command.reference
        return self.enter(wallet, command, "state", 0, 0, ref, None, remainders(wallet))

    def expire(self, command: c.Expire, wallet: Wallet, _name: Name) -> Line:
        lots = remainders(wallet)
        chosen = [p for p in wallet.parcels.values() if command.origin in (None, p.origin)]
        excess = max(0, sum(p.left for p in chosen) - command.keep)
        chosen.sort(key=lambda p: (p.priority, p.expires_at or NEVER, p.seq))
        left = excess
        for parcel in chosen:
            part = min(left, parcel.left)
            parcel.left -= part
            left -= part
        ref = command.reference
        return self.enter(wallet, command, "expire", -excess, 0, ref, "breakage", lots)

    def extend(self, command: c.Extend, wallet: Wallet, _name: Name) -> Line:
        if command.hold is not None:
            dated = [self.open_hold(wallet, command.hold)]
            chosen = [h for h in dated if h.deadline is not None and h.deadline < command.until]
            for hold in chosen:
                hold.deadline = command.until
        else:
            chosen = [
                p
                for p in wallet.parcels.values()
                if (p.left or p.held)
                and p.expires_at is not None
                and self.now < p.expires_at < command.until
                and command.origin in (None, p.origin)
            ]
            for parcel in chosen:
                parcel.expires_at = command.until
        if not chosen:
            raise Refused(Status.NOTHING_TO_EXTEND)
        ref = command.reference
        return self.enter(wallet, command, "extend", 0, 0, ref, None, remainders(wallet))


def remainders(wallet: Wallet) -> dict[int, int]:
    return {seq: parcel.left for seq, parcel in wallet.parcels.items()}


def differing(command: c.AnyCommand, was: c.AnyCommand | None) -> list[str]:
    """Name the fields in which a command differs from the one that came first."""
    if type(command) is not type(was):
        return ["op"]
    names = set(msgspec.structs.asdict(command)) - {"group", "holder", "holder_id", "reference"}
    return sorted(name for name in names if content(command, name) != content(was, name))


def content(command: c.AnyCommand, name: str) -> object:
    if name == "house_account" and command.house_account is None:
        return HOUSE[getattr(command, "kind", "spend")]
    return getattr(command, name)
