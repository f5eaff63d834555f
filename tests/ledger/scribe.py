"""Writes commands at random, the kind that a busy and careless app would send."""

from datetime import datetime, timedelta
from random import Random

import msgspec

from bursar.ledger import commands as c
from bursar.ledger.model import MAX_AMOUNT, LotTerms, WalletState
from tests.ledger.reference_model import Model

HOLDERS = {"ada": 1, "ben": 2, "cyd": 3}
ASSETS = {"coins": 1, "gems": 2}
SMALL = (1, 2, 3, 5, 10, 20, 50)
ORIGINS = ("bonus", "plan", None)


class Scribe:
    """Commands out of a source of randomness and what the model knows so far."""

    def __init__(self, random: Random, model: Model) -> None:
        self.random = random
        self.model = model
        self.sent: list[c.AnyCommand] = []
        self._makers = [
            *(self._credit,) * 5,
            *(self._debit,) * 4,
            *(self._hold,) * 3,
            *(self._end_hold,) * 3,
            *(self._transfer,) * 3,
            *(self._reverse,) * 5,
            *(self._limit, self._state, self._expire, self._extend, self._extend),
        ]

    def later(self, now: datetime) -> datetime:
        """Let some time pass, or none; now and then the clock is set back a little."""
        return now + timedelta(minutes=self.random.choice((0, 0, 1, 20, 30, 60, 300, -10)))

    def batch(self, now: datetime, most: int = 6) -> list[c.AnyCommand]:
        """Write some commands, a few of them in groups."""
        made = [self.command(now) for _ in range(self.random.randint(1, most))]
        groups = (*(None,) * 6, "g", "h")
        return [msgspec.structs.replace(m, group=self.random.choice(groups)) for m in made]

    def command(self, now: datetime) -> c.AnyCommand:
        """Write one command; one in ten came before, perhaps with another content."""
        if self.sent and self.random.randrange(10) == 0:
            return self._again(self.random.choice(self.sent))
        common = {
            "holder": self.random.choice(list(HOLDERS)),
            "asset": self.random.choice([*ASSETS, "coins"]),
            "reference": f"r{len(self.sent)}",
        }
        if self.random.randrange(8) == 0:
            late = self.random.choice((-90, -30, -5, -1, 1))
            common["effective_at"] = now + timedelta(minutes=late)
        if self.random.randrange(8) == 0:
            common["source"], common["metadata"] = "test", {"b": [1, None], "a": "é"}
        command = self.random.choice(self._makers)(common, now)
        self.sent.append(command)
        return command

    def _again(self, command: c.AnyCommand) -> c.AnyCommand:
        change = self.random.choice(("none", "none", "source", "amount", "holder"))
        if change == "source":
            return msgspec.structs.replace(command, source="other")
        if change == "amount" and getattr(command, "amount", None):
            return msgspec.structs.replace(command, amount=command.amount % MAX_AMOUNT + 1)
        if change == "holder":
            return msgspec.structs.replace(command, holder=self.random.choice(list(HOLDERS)))
        return command

    def _amount(self) -> int:
        return MAX_AMOUNT if self.random.randrange(50) == 0 else self.random.choice(SMALL)

    def _in(self, now: datetime) -> datetime | None:
        hours = self.random.choice((None, None, 1, 1, 1, 2, 2, 5, 5, 0))
        return None if hours is None else now + timedelta(hours=hours)

    def _credit(self, common: dict, now: datetime) -> c.AnyCommand:
        kind = self.random.choice(("grant", "grant", "earn", "purchase", "adjust"))
        lot = None
        if self.random.randrange(3):
            priority = self.random.choice((0, 0, -1, 1))
            lot = LotTerms(self._in(now), priority, self.random.choice(ORIGINS))
        return c.Credit(**common, amount=self._amount(), kind=kind, lot=lot)

    def _debit(self, common: dict, _now: datetime) -> c.AnyCommand:
        kind = self.random.choice(("spend", "spend", "adjust"))
        house = self.random.choice((None, None, "shop"))
        return c.Debit(**common, amount=self._amount(), kind=kind, house_account=house)

    def _hold(self, common: dict, now: datetime) -> c.AnyCommand:
        return c.PlaceHold(**common, amount=self._amount(), deadline=self._in(now))

    def _extend(self, common: dict, now: datetime) -> c.AnyCommand:
        until = now + timedelta(hours=self.random.choice((0, 1, 2, 4, 8, 8)))
        if self.random.randrange(2):
            return c.Extend(**common, until=until, origin=self.random.choice(ORIGINS))
        return c.Extend(**common, until=until, hold=self._some_hold(common))

    def _end_hold(self, common: dict, _now: datetime) -> c.AnyCommand:
        hold = self._some_hold(common)
        if self.random.randrange(3) == 0:
            return c.Release(**common, hold=hold)
        amount = self.random.choice((None, self._amount()))
        keep_rest = self.random.choice((True, False))
        return c.Capture(**common, hold=hold, amount=amount, keep_rest=keep_rest)

    def _some_hold(self, common: dict) -> str:
        """Choose a hold, most often an open one, and name its wallet."""
        holds = [
            (holder, asset, reference)
            for (holder, asset), wallet in self.model.wallets.items()
            for reference, hold in wallet.holds.items()
            if hold.state == "open" or self.random.randrange(6) == 0
        ]
        hold = "no hold"
        if holds and self.random.randrange(12):
            common["holder"], common["asset"], hold = self.random.choice(holds)
        return hold

    def _transfer(self, common: dict, _now: datetime) -> c.AnyCommand:
        to = self.random.choice(list(HOLDERS))
        return c.Transfer(**common, to=to, amount=self._amount())

    def _reverse(self, common: dict, _now: datetime) -> c.AnyCommand:
        target = "no entry"
        if self.model.wallets and self.random.randrange(12):
            name, wallet = self.random.choice(list(self.model.wallets.items()))
            common["holder"], common["asset"] = name
            amounts = [line for line in wallet.lines if line.amount]
            target = self.random.choice(amounts or wallet.lines).reference
        elif self.sent:
            latest = self.random.choice(self.sent[-3:])
            common["holder"], common["asset"] = latest.holder, latest.asset
            target = latest.reference
        return c.Reverse(
            **common,
            target=target,
            amount=self.random.choice((None, None, self._amount())),
            policy=self.random.choice(("debt", "clip", "net")),
        )

    def _limit(self, common: dict, _now: datetime) -> c.AnyCommand:
        return c.SetLimit(**common, limit=self.random.choice((0, 10, 30, MAX_AMOUNT)))

    def _state(self, common: dict, _now: datetime) -> c.AnyCommand:
        states = (*(WalletState.ACTIVE,) * 3, *WalletState)
        return c.SetState(**common, state=self.random.choice(states))

    def _expire(self, common: dict, _now: datetime) -> c.AnyCommand:
        keep, origin = self.random.choice((0, 5, 10)), self.random.choice(ORIGINS)
        return c.Expire(**common, keep=keep, origin=origin)
