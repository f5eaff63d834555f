"""An economy in which everybody's due is plain arithmetic of their number and the day.

The clock stands still until a test moves it, always to noon of a day; days are counted from
`START`. ``expected`` says with arithmetic alone who must have what, and knows nothing of Bursar.
"""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import psycopg

from bursar.holders import HolderChange, Holders
from bursar.ledger import Ledger
from bursar.platform.database import Database
from bursar.programs.model import Amount, Calendar, Claim, Program, Rolling, Streak
from bursar.programs.service import Programs

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
LAST_DAY = 60
"""So many days of logins are written down beforehand; later nobody logs in."""

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_PATTERNS = 12
_TIERS = ("basic", "plus", "gold")

_ACTIVE = {"inactive": 'holder.status == "active"'}
PROGRAMS = (
    Program(
        name="daily",
        asset="coins",
        schedule=Calendar(every="day"),
        who=_ACTIVE,
        amount=Amount(
            formula='holder.tier == "gold" ? 300 : 100 + 10 * int(holder.attributes.step)'
        ),
        catch_up="all",
    ),
    Program(
        name="refresh",
        asset="coins",
        schedule=Rolling(days=7, days_by_tier={"gold": 5}),
        who=_ACTIVE,
        amount=Amount(by_tier={"basic": 50, "plus": 70, "gold": 90}),
        catch_up="all",
    ),
    Program(
        name="streak",
        asset="coins",
        schedule=Claim(
            automatic="logged_in", streak=Streak(freezes=1, freeze_days=7, milestones={5: 500})
        ),
        who=_ACTIVE,
        amount=Amount(formula="1000 + (streak - 1) * 500"),
        catch_up="all",
    ),
)


def noon(day: int) -> datetime:
    """Noon of a day."""
    return START + timedelta(days=day)


def date_of(day: int) -> date:
    """The date of a day."""
    return noon(day).date()


def name_of(number: int) -> str:
    """The id of a person; numbers are read back out of it."""
    return f"p{number:06}"


def fails(number: int) -> bool:
    """Whether the daily formula has nothing to reckon with: every 61st, but for gold."""
    return number % 61 == 0 and number % 3 != 2


def present(pattern: int, day: int) -> bool:
    """Whether those of a pattern log in on a day: all days, six of seven, or five."""
    return day <= LAST_DAY and day * (pattern % 6 + 1) % 7 >= pattern % 3


def set_clock(owner: psycopg.Connection, day: int) -> None:
    """Put the clock to noon of a day."""
    owner.execute(
        "update bursar.economy set sandbox = true, clock_offset = %s", (noon(day) - _EPOCH,)
    )


def found(owner: psycopg.Connection, url: str, people: int) -> None:
    """Stop the clock at the start, enrol people 1 to ``people``, put the programs in force."""
    owner.execute(
        "create or replace function bursar.now() returns timestamptz language sql stable as"
        " $$ select '2000-01-01 00:00:00+00'::timestamptz + clock_offset from bursar.economy $$"
    )
    set_clock(owner, 0)
    asyncio.run(_found(url, people))
    write_logins(owner)


async def _found(url: str, people: int) -> None:
    database = Database(url)
    await database.open()
    async with Ledger(database) as ledger:
        await ledger.add_asset("coins", actor="test", reason="test")
        numbers = range(1, people + 1)
        await enrol(ledger, [person(number, begun(number)) for number in numbers])
        async with database.transaction() as connection:
            for program in PROGRAMS:
                await Programs(ledger).put(connection, program, actor="test", reason="test")


async def enrol(ledger: Ledger, changes: list[HolderChange]) -> None:
    """Write people, and see that none was refused."""
    for first in range(0, len(changes), 10_000):
        part = changes[first : first + 10_000]
        for upserted in await Holders(ledger).upsert(part, actor="test", reason="test"):
            assert upserted.refusal is None, upserted


def person(number: int, created: datetime) -> HolderChange:
    """Describe a person, all of whose traits follow from the number."""
    return HolderChange(
        name_of(number),
        created_at=created,
        status="canceled" if number % 7 == 0 else "active",
        tier=_TIERS[number % 3],
        attributes={} if fails(number) else {"step": number % 5 + 1},
        at=created,
    )


def mended(number: int) -> HolderChange:
    """Give a person for whom the formula failed what it asks for."""
    return HolderChange(name_of(number), attributes={"step": number % 5 + 1})


def begun(number: int) -> datetime:
    """When a person's account began: at six in the morning of one of the 40 days before."""
    return noon(-1 - number % 40) - timedelta(hours=6)


def write_logins(owner: psycopg.Connection) -> None:
    """Write every day's logins down at once; thousands of calls a day would say the same."""
    for pattern in range(_PATTERNS):
        bits = sum(1 << (LAST_DAY - day) for day in range(LAST_DAY + 1) if present(pattern, day))
        owner.execute(
            "update bursar.holders h set login_map = %s, login_day = %s"
            "  from bursar.holder_ids i"
            " where i.holder_id = h.holder_id and substr(i.external_id, 2)::int %% %s = %s",
            (bits, date_of(LAST_DAY), _PATTERNS, pattern),
        )


class Claims(msgspec.Struct):
    """What a pattern of logins comes to: (day, amount), and the streak in the end, if any."""

    awards: list[tuple[int, int]]
    length: int | None
    last_day: date | None


def claims_of(pattern: int, until: int) -> Claims:
    """Walk the days before ``until``, one by one: the plainest telling of a streak."""
    awards: list[tuple[int, int]] = []
    length, frozen = 0, [-100]
    missed: list[int] = []
    for day in range(until):
        if not present(pattern, day):
            missed.append(day)
            continue
        one_to_forgive = len(missed) == 1 and missed[0] - frozen[-1] >= 7
        if awards and one_to_forgive:
            frozen.append(missed[0])
        if not awards or (missed and not one_to_forgive):
            length = 0
        missed = []
        length += 1
        awards.append((day, 1000 + (length - 1) * 500 + (500 if length == 5 else 0)))
    if not awards:
        return Claims([], None, None)
    return Claims(awards, length, date_of(awards[-1][0]))


class History(msgspec.Struct, kw_only=True):
    """What a test has done beside moving the clock."""

    people: int
    last: int = 0
    """the day at which the clock stands"""
    joined: int | None = None
    """the day on which the people above ``people`` joined"""
    mended: bool = False
    reverted: dict[int, int] = {}
    """the days of ``daily`` that were taken back, and the runs that did so"""
    again: list[int] = []
    """those of them that were run anew"""


_NUMBERED = """
create temporary table people as
select i.holder_id, substr(i.external_id, 2)::integer as n
  from bursar.holder_ids i
"""

_DAILY = """
insert into expected
select p.holder_id, 'daily:' || %(date)s || %(suffix)s,
       %(sign)s * case when p.n %% 3 = 2 then 300 else 100 + 10 * (p.n %% 5 + 1) end
  from people p
 where p.n %% 7 <> 0
   and (p.n <= %(people)s or %(newcomers)s)
   and not (p.n %% 61 = 0 and p.n %% 3 <> 2)
"""

_OCCURRENCES = """
create temporary table occurrences as
select p.holder_id, p.n, k, b.begun + k * b.days * interval '1 day' as due_at
  from people p
 cross join lateral (
           select case when p.n > %(people)s then %(joined)s
                       else %(start)s - (1 + p.n %% 40) * interval '1 day' - interval '6 hours'
                  end as begun,
                  case when p.n %% 3 = 2 then 5 else 7 end as days) as b
 cross join generate_series(1, 40) as k
 where b.begun + k * b.days * interval '1 day' >= %(start)s
"""

_REFRESH = """
insert into expected
select o.holder_id, 'refresh:' || to_char(o.due_at at time zone 'UTC', 'YYYY-MM-DD'),
       (array[50, 70, 90])[o.n %% 3 + 1]
  from occurrences o
 where o.n %% 7 <> 0 and o.due_at <= %(now)s
"""

_CLAIM = """
insert into expected
select p.holder_id, 'streak:' || %(date)s, %(amount)s
  from people p
 where p.n %% 7 <> 0 and p.n <= %(people)s and p.n %% 12 = %(pattern)s
"""

_DIFFERENCES = """
select holder_id, reference, x.amount, e.amount
  from expected x
  full join (select e.holder_id, e.reference, e.amount from bursar.entries e
              where not exists (select from mended m
                                 where m.holder_id = e.holder_id and e.reference ^@ 'daily:')) as e
 using (holder_id, reference)
 where x.amount is distinct from e.amount
 limit 20
"""

_CYCLES = """
select p.n, c.due_at, c.look_at, c.last_award_at, o.next_at, o.passed
  from people p
  left join bursar.program_cycles c using (holder_id)
  left join (select o.holder_id, min(o.due_at) filter (where o.due_at > %(now)s) as next_at,
                    count(*) filter (where o.due_at <= %(now)s) as passed
               from occurrences o group by o.holder_id) as o using (holder_id)
 where c.due_at is distinct from o.next_at or c.look_at is distinct from o.next_at
    or (c.last_award_at is null) <> (p.n %% 7 = 0 or o.passed = 0)
 limit 20
"""

_UNFINISHED = """
select r.run_id, r.state, r.note, count(c.run_id) filter (where c.done_at is null)
  from bursar.runs r
  left join bursar.run_chunks c using (run_id)
 group by r.run_id
having r.state not in ('finished', 'reverted')
    or (r.state = 'finished' and count(c.run_id) filter (where c.done_at is null) > 0)
 limit 20
"""

_SUMS = """
select g.name, t.taken, sum(c.awarded), sum(c.amount), e.entries, e.amount
  from bursar.runs r
  join bursar.programs g using (program_id)
  join bursar.run_chunks c using (run_id)
 cross join lateral (select r.kind = 'revert' as taken) as t
  join (select e.source, e.amount < 0 as taken, count(*) as entries, sum(abs(e.amount)) as amount
          from bursar.entries e group by 1, 2) as e on e.source = g.name and e.taken = t.taken
 group by g.name, t.taken, e.entries, e.amount
having sum(c.awarded) <> e.entries or sum(c.amount) <> e.amount
"""

_STREAKS = """
select p.n, s.length, s.last_day
  from people p
  left join bursar.program_streaks s using (holder_id)
 where p.n %% 12 = %(pattern)s
   and (s.length, s.last_day) is distinct from
       (case when p.n %% 7 <> 0 and p.n <= %(people)s then %(length)s::integer end,
        case when p.n %% 7 <> 0 and p.n <= %(people)s then %(last_day)s::date end)
 limit 20
"""

_MENDED = """
select m.holder_id, f.run_id, f.resolved_at, count(e.reference)
  from mended m
  join bursar.runs r on r.period_key = %(date)s and r.kind = 'scheduled'
                    and r.generation = %(generation)s
  join bursar.programs g on g.program_id = r.program_id and g.name = 'daily'
  left join bursar.run_failures f using (run_id, holder_id)
  left join bursar.entries e on e.holder_id = m.holder_id
                            and e.reference = 'daily:' || %(date)s || %(suffix)s
 group by m.holder_id, f.run_id, f.resolved_at
having count(e.reference) > 1
    or (count(e.reference) = 0 and (f.run_id is null or f.resolved_at is not null))
"""


def differences(owner: psycopg.Connection, told: History) -> dict[str, list[Any]]:
    """Compare what is in the books with what must be; by subject, at most 20 rows each."""
    now = noon(told.last)
    owner.execute("drop table if exists expected, people, occurrences, mended")
    owner.execute(
        "create temporary table expected (holder_id bigint, reference text, amount bigint)"
    )
    owner.execute(_NUMBERED)
    owner.execute(
        "create temporary table mended as select holder_id from people"
        " where %s and n <= %s and n %% 122 = 0 and n %% 3 <> 2 and n %% 7 <> 0",
        (told.mended, told.people),
    )
    common: dict[str, Any] = {"people": told.people, "start": START, "now": now}
    common["joined"] = None if told.joined is None else noon(told.joined)
    for day in range(1, told.last + 1):
        newcomers = told.joined is not None and day >= told.joined
        lines = [("", 1)]
        if day in told.reverted:
            lines.append((f":run_{told.reverted[day]}", -1))
        if day in told.again:
            lines.append(("~1", 1))
        for suffix, sign in lines:
            said = {"date": date_of(day).isoformat(), "suffix": suffix, "sign": sign}
            owner.execute(_DAILY, common | said | {"newcomers": newcomers})
    owner.execute(_OCCURRENCES, common)
    owner.execute(_REFRESH, common)
    wrong: dict[str, list[Any]] = {}
    for pattern in range(_PATTERNS):
        claims = claims_of(pattern, told.last)
        for day, amount in claims.awards:
            said = {"date": date_of(day).isoformat(), "amount": amount, "pattern": pattern}
            owner.execute(_CLAIM, common | said)
        said = {
            "pattern": pattern,
            "length": claims.length,
            "last_day": claims.last_day,
        }
        wrong[f"streaks {pattern}"] = owner.execute(_STREAKS, common | said).fetchall()
    owner.execute("analyze expected, occurrences, people, mended, bursar.entries")
    wrong["entries"] = owner.execute(_DIFFERENCES).fetchall()
    wrong["runs"] = owner.execute(_UNFINISHED).fetchall()
    wrong["sums"] = owner.execute(_SUMS).fetchall()
    wrong["cycles"] = owner.execute(_CYCLES, common).fetchall()
    for day in range(1, told.last + 1):
        for generation, suffix in ((0, ""), (1, "~1")):
            said = {"date": date_of(day).isoformat(), "generation": generation, "suffix": suffix}
            rows = owner.execute(_MENDED, said).fetchall()
            wrong[f"mended {day}{suffix}"] = rows
    return {subject: rows for subject, rows in wrong.items() if rows}
