"""Telling of runs when they have ended, slice by slice, each in one transaction (N5).

While any run is giving credit this waits: notices are never made at the expense of the movement.
"""

from collections.abc import Sequence
from typing import Final

from bursar.ledger import Entry, Ledger
from bursar.ledger.reading.news import read_posted_by
from bursar.notices.deriving import Source, refresh_failed, source_of, told
from bursar.notices.making import store
from bursar.notices.making.placing import Outlets, place
from bursar.notices.making.reminding import remind_slice
from bursar.notices.making.store import Untold, Work
from bursar.notices.model import Kind, Notice
from bursar.notices.program_kinds import ProgramKinds
from bursar.notices.store import State, read_state
from bursar.platform.database import REFUSED_DATA, Connection
from bursar.platform.errors import BursarError, Unavailable
from bursar.programs.library import Library
from bursar.programs.switches import Switches

SLICE: Final = 2_000
_BUGS: Final = (ArithmeticError, LookupError, TypeError, ValueError)


async def begin(connection: Connection, kinds: ProgramKinds, state: State, outlets: Outlets) -> int:
    """Begin to tell of the runs that have ended; of those that send nothing there is no dispatch.

    Returns how many are begun.
    """
    begun = 0
    untold = await store.take_untold(connection)
    await kinds.load(connection, map(_source, untold))
    for run in untold:
        if _is_told(run, kinds, state, outlets):
            await store.begin_run(connection, run.run_id)
            begun += 1
    return begun


def _is_told(run: Untold, kinds: ProgramKinds, state: State, outlets: Outlets) -> bool:
    if run.dry_run or not outlets.any:
        return False
    if state.started_at is None:
        return False
    source = _source(run)
    low = Kind.LOW_BALANCE in state.settings.send
    return low or bool(state.settings.send if source is None else kinds(source))


def _source(run: Untold) -> Source | None:
    if run.program is None or run.version is None:
        return None
    return Source(run.program, run.version)


class Stuck(Exception):
    """A dispatch cannot go on as it is; its cause says why."""

    def __init__(self, dispatch_id: int) -> None:
        super().__init__(dispatch_id)
        self.dispatch_id = dispatch_id


async def do_slice(
    connection: Connection,
    ledger: Ledger,
    library: Library,
    kinds: ProgramKinds,
    outlets: Outlets,
    switches: Switches,
) -> bool:
    """Do a slice of a dispatch, in the caller's transaction; False if there is none to be done.

    Raises `Stuck` for one that would fail again.
    """
    if await store.any_running(connection):
        return False
    work = await store.claim(connection)
    if work is None:
        return False
    state = await read_state(connection)
    try:
        if work.phase == "holders":
            await remind_slice(connection, library, state, outlets, work, switches)
        elif work.phase == "exclusions":
            await _tell_left_out(connection, kinds, state, outlets, work)
        else:
            await _tell_awards(connection, ledger, kinds, state, outlets, work)
    except Unavailable:
        raise
    except (BursarError, *REFUSED_DATA, *_BUGS) as error:
        raise Stuck(work.dispatch_id) from error
    return True


async def _tell_awards(
    connection: Connection,
    ledger: Ledger,
    kinds: ProgramKinds,
    state: State,
    outlets: Outlets,
    work: Work,
) -> None:
    """Tell of some of what one chunk gave; then come those whom it left out."""
    run_id = work.run_id or 0
    # a holder number above 0 says that the chunk itself is not done with
    first = work.chunk_no if work.holder_id else work.chunk_no + 1
    found = await store.next_chunk(connection, run_id, first)
    if found is None:
        await store.finish(connection, work.dispatch_id)
        return
    chunk_no, epoch, xid = found
    done = work.holder_id if chunk_no == work.chunk_no else 0
    entries = await read_posted_by(connection, epoch, xid, f"run_{run_id}", after=done, limit=SLICE)
    made = await place(
        connection,
        state,
        outlets,
        [await _told(connection, ledger, kinds, state, entries)],
        dispatch_id=work.dispatch_id,
        run=f"run_{run_id}",
    )
    after = work._replace(chunk_no=chunk_no, phase="exclusions", holder_id=0)
    if len(entries) >= SLICE:
        after = after._replace(phase="awards", holder_id=entries[-1].holder_id)
    await store.advance(connection, after, looked=len(entries), made=made)


async def _told(
    connection: Connection,
    ledger: Ledger,
    kinds: ProgramKinds,
    state: State,
    entries: Sequence[Entry],
) -> list[Notice]:
    assets: dict[int, str] = {
        asset.asset_id: asset.code for asset in await ledger.assets(tx=connection)
    }
    await kinds.load(connection, map(source_of, entries))
    return [
        notice
        for entry in entries
        if state.counts(entry.recorded_at)
        for notice in told(entry, assets[entry.asset_id], state.settings, kinds)
    ]


async def _tell_left_out(
    connection: Connection, kinds: ProgramKinds, state: State, outlets: Outlets, work: Work
) -> None:
    """Tell some of those whom the chunk has left out for a reason that is kept.

    Chunk by chunk, so that of a run that goes on only those are told who have come since.
    """
    left_out = await store.read_left_out(
        connection, work.run_id or 0, work.chunk_no, work.holder_id, SLICE
    )
    await kinds.load(connection, (Source(x.program, x.version) for x in left_out))
    notices = [
        refresh_failed(x.holder_id, x.program, x.period, asset=x.asset, reason=x.reason, at=x.at)
        for x in left_out
        if state.counts(x.at) and Kind.REFRESH_FAILED in kinds(Source(x.program, x.version))
    ]
    made = await place(
        connection,
        state,
        outlets,
        [notices],
        dispatch_id=work.dispatch_id,
        run=f"run_{work.run_id}",
    )
    after = work._replace(phase="awards", holder_id=0)
    if len(left_out) >= SLICE:
        after = work._replace(holder_id=left_out[-1].holder_id)
    await store.advance(connection, after, looked=len(left_out), made=made)
