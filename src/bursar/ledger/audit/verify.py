"""Checking the books while they are being written: slice by slice, side by side, resumable (L10).

First the wallets, in ranges of holders: their chains, their rows, lots, holds and reversals. Then,
unless only a part was asked for, house totals by days, postings by ranges, and the trial balance.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple

from bursar.ledger.audit import verify_slices
from bursar.ledger.audit.findings import MAX_FINDINGS, Checkpoint, Outcome, Report, Stage, advance
from bursar.ledger.audit.verify_slices import LEAST, MOST, Question
from bursar.ledger.decision.checksum import Seal
from bursar.platform.database import Database
from bursar.platform.ending import end
from bursar.platform.errors import Invalid


class _Slice(NamedTuple):
    """A part of the work, and where the check stands when it is done."""

    check: Callable[[], Awaitable[Outcome]]
    stage: Stage
    after: int | None


_AHEAD: Final = 2
"""Slices that may be under way for each worker, so that a long one does not idle the others."""


async def verify(
    database: Database,
    seal: Seal,
    *,
    first_holder: int | None = None,
    last_holder: int | None = None,
    keyed_since: datetime | None = None,
    resume: Checkpoint | None = None,
    progress: Callable[[Checkpoint], None] | None = None,
    workers: int = 2,
) -> Report:
    """Recompute everything that follows from the entries, and say which rows disagree.

    With a range of holders, both ends included, only their wallets are checked. ``progress`` is
    called with a `Checkpoint` after each slice, in order; given back as ``resume`` the check goes
    on from there. ``keyed_since`` is when the checksum key was introduced: an entry recorded
    since then without a key is found. Raises `Unavailable` when the database is away.
    """
    started = time.perf_counter()
    at = resume or Checkpoint(first_holder=first_holder, last_holder=last_holder)
    if resume and (first_holder, last_holder) not in {
        (None, None),
        (resume.first_holder, resume.last_holder),
    }:
        raise Invalid("checkpoint_range", "the checkpoint is of another range of holders")
    question = Question(database, seal, keyed_since, MAX_FINDINGS)
    async with aclosing(_side_by_side(_slices(question, at), max(1, workers))) as done:
        async for one, outcome in done:
            at = advance(at, outcome, one.stage, one.after)
            if progress is not None:
                progress(at)
    return Report(
        wallets=at.wallets,
        entries=at.entries,
        unverifiable=at.unverifiable,
        found=at.found,
        findings=at.findings,
        seconds=time.perf_counter() - started,
    )


async def _slices(question: Question, at: Checkpoint) -> AsyncIterator[_Slice]:
    """List what is to be done from the checkpoint on, one stage after the other."""
    stage, after = at.stage, at.after
    if stage == "wallets":
        async for one in _holders(question, at):
            yield one
        stage, after = "house_totals", None
    if at.is_part:
        return
    if stage == "house_totals":
        async for one in _days(question, after):
            yield one
        stage, after = "postings", None
    if stage == "postings":
        async for one in _postings(question, LEAST if after is None else after):
            yield one
        stage = "trial_balance"
    if stage == "trial_balance":
        yield _Slice(question.trial_balance, "done", None)


async def _holders(question: Question, at: Checkpoint) -> AsyncIterator[_Slice]:
    """Cut the holders into ranges of about as many entries each."""
    first = LEAST + 1 if at.first_holder is None else at.first_holder
    last = MOST if at.last_holder is None else at.last_holder
    after = first - 1 if at.after is None else at.after
    while after < last:
        upto = await question.next_holder(after, last) or last
        check = partial(question.holders, after, upto)
        if upto < last:
            yield _Slice(check, "wallets", upto)
        else:
            yield _Slice(check, "done" if at.is_part else "house_totals", None)
        after = upto


async def _days(question: Question, first: int | None) -> AsyncIterator[_Slice]:
    """Pack days together as long as they fit a pass; before the first and after the last too.

    A day that fits none has one by itself, which then need not tell days apart.
    """
    entries = 0
    for day, count in await question.days():
        for bound, more in ((day, count), (day + 1, 0)):
            if (first is None or first < bound) and entries + more > verify_slices.ENTRIES_A_PASS:
                yield _Slice(partial(question.house_totals, first, bound), "house_totals", bound)
                first, entries = bound, 0
            if first is None or first <= bound:
                entries += more
    yield _Slice(partial(question.house_totals, first, None), "postings", None)


async def _postings(question: Question, after: int) -> AsyncIterator[_Slice]:
    """Cut the postings into ranges of about as many entries each."""
    while True:
        upto = await question.next_posting(after)
        if upto is None:
            break
        yield _Slice(partial(question.postings, after, upto), "postings", upto)
        after = upto
    yield _Slice(partial(question.postings, after, MOST), "trial_balance", None)


async def _side_by_side(
    slices: AsyncIterator[_Slice], workers: int
) -> AsyncGenerator[tuple[_Slice, Outcome], None]:
    """Check slices on so many connections at a time; yield their outcomes in order."""
    turn = asyncio.Semaphore(workers)
    running: deque[tuple[_Slice, asyncio.Task[Outcome]]] = deque()

    async def check(one: _Slice) -> Outcome:
        async with turn:
            return await one.check()

    try:
        async for one in slices:
            running.append((one, asyncio.create_task(check(one))))
            if len(running) >= workers * _AHEAD:
                done, task = running.popleft()
                yield done, await task
        while running:
            done, task = running.popleft()
            yield done, await task
    finally:
        await end(task for _, task in running)
