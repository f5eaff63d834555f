"""Making what is due to be told, again and again; any number of workers may (N5, P8)."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

import structlog

from bursar.ledger import Ledger, Page
from bursar.notices.making import alerting, dispatching, store
from bursar.notices.making.following import follow
from bursar.notices.making.model import Dispatch, DispatchState
from bursar.notices.making.placing import Outlets, read_outlets
from bursar.notices.making.reminding import next_reminder, remind
from bursar.notices.making.warning import next_warning, warn
from bursar.notices.program_kinds import ProgramKinds
from bursar.notices.sending.service import on_new_epoch
from bursar.notices.store import State, note_epoch, read_state
from bursar.platform.database import Connection, Database
from bursar.platform.errors import BursarError, Conflict, Missing, Unavailable
from bursar.platform.pages import check_limit, place_of
from bursar.platform.voice import check_voice
from bursar.programs.library import Library
from bursar.programs.model import AlertKind, InForce
from bursar.programs.store import raise_alert, read_programs
from bursar.programs.switches import Switches
from bursar.trail import record

_NEWEST: Final = 2**63 - 1
_log: Final = structlog.get_logger("bursar.notices")


class Maker:
    """Makes deliveries, and the inbox's notices that no entry tells of.

    ``mail`` says whether there is a mail server: without one, and without endpoints, what is told
    in the inbox alone costs nothing but a look. Of programs that ``switches`` turn off nobody is
    reminded.
    """

    def __init__(
        self,
        ledger: Ledger,
        kinds: ProgramKinds,
        *,
        mail: bool,
        switches: Switches | None = None,
    ) -> None:
        self._ledger = ledger
        self._database = ledger.database
        self._library = Library()
        self._kinds = kinds
        self._mail = mail
        self._switches = switches or Switches()

    async def follow(self) -> int:
        """Place what single movements are told as, up to now; how many postings were passed."""
        passed = 0
        while True:
            state, outlets = await self._look()
            done = await follow(self._ledger, self._kinds, state, outlets)
            if not done:
                return passed
            passed += done

    async def dispatch(self) -> int:
        """Tell of the runs that have ended and of the periods ahead; how many slices were done.

        While a run is giving there is nothing to do.
        """

        async def begin(connection: Connection) -> int:
            state = await read_state(connection)
            outlets = await read_outlets(connection, mail=self._mail)
            return await dispatching.begin(connection, self._kinds, state, outlets)

        async def do_slice(connection: Connection) -> bool:
            outlets = await read_outlets(connection, mail=self._mail)
            return await dispatching.do_slice(
                connection, self._ledger, self._library, self._kinds, outlets, self._switches
            )

        await self._look()
        await self._database.retrying(begin)
        done = 0
        while True:
            try:
                return done + await self._until_done(do_slice)
            except dispatching.Stuck as stuck:
                await self._set_aside(stuck)
                done += 1

    async def look_ahead(self) -> None:
        """Remind of what is given soon, and warn of what expires soon."""
        async with self._database.connection() as connection:
            programs = await read_programs(connection)
        for in_force in map(self._switches.applied, programs):
            try:
                await self._remind(in_force)
            except Unavailable:
                raise
            except BursarError as error:
                name = in_force.program.name
                await self._alert("reminders_failing", name, f"{error.code}: {error.message}")

        async def some_warned(connection: Connection) -> bool:
            state = await read_state(connection)
            outlets = await read_outlets(connection, mail=self._mail)
            return await warn(connection, state, outlets)

        await self._until_done(some_warned)

    async def tell_operators(self) -> int:
        """Place what operators have not been told of yet; how many deliveries that made (P8)."""

        async def once(connection: Connection) -> int:
            state = await read_state(connection)
            outlets = await read_outlets(connection, mail=self._mail)
            return await alerting.alert(connection, state, outlets)

        return await self._database.retrying(once)

    async def make_all_due(self) -> None:
        """Do everything that is due now, of every sort."""
        await self.follow()
        await self.look_ahead()
        await self.dispatch()
        await self.tell_operators()

    async def next_due(self) -> datetime | None:
        """Tell when somebody is next to be reminded or warned; None if that is not known."""
        async with self._database.connection() as connection:
            state = await read_state(connection)
            reminders = [
                await next_reminder(connection, state, in_force)
                for in_force in map(self._switches.applied, await read_programs(connection))
            ]
            instants = (*reminders, await next_warning(connection, state))
        return min((instant for instant in instants if instant is not None), default=None)

    async def _set_aside(self, stuck: dispatching.Stuck) -> None:
        """Pause a dispatch that cannot go on, so that it does not keep others from theirs."""
        why = stuck.__cause__
        said = why.message if isinstance(why, BursarError) else f"{type(why).__name__}: {why}"
        _log.error("dispatch_stuck", dispatch=stuck.dispatch_id, exc_info=why)
        async with self._database.transaction() as connection:
            await store.move(
                connection, stuck.dispatch_id, DispatchState.PAUSED, (DispatchState.RUNNING,)
            )
            subject = f"dispatch_{stuck.dispatch_id}"
            await raise_alert(connection, "dispatch_stuck", subject, said[:500])

    async def _alert(self, kind: AlertKind, subject: str, message: str) -> None:
        async with self._database.connection() as connection:
            await raise_alert(connection, kind, subject, message[:500])

    async def _look(self) -> tuple[State, Outlets]:
        """Read what is in force; in a new epoch what was waiting is first set aside (O3)."""
        async with self._database.transaction() as connection:
            state = await read_state(connection)
            if state.epoch != state.now_epoch:
                if await note_epoch(connection):
                    await on_new_epoch(connection)
                state = await read_state(connection)
            return state, await read_outlets(connection, mail=self._mail)

    async def _remind(self, in_force: InForce) -> None:
        since: datetime | None = None

        async def some(connection: Connection) -> datetime | None:
            state = await read_state(connection)
            outlets = await read_outlets(connection, mail=self._mail)
            return await remind(connection, self._library, state, outlets, in_force, since)

        while (since := await self._database.retrying(some)) is not None:
            pass

    async def _until_done(self, some: Callable[[Connection], Awaitable[bool]]) -> int:
        done = 0
        while await self._database.retrying(some):
            done += 1
        return done


class Dispatches:
    """What is sent of runs and ahead of periods, watched and steered by operators (N5)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> Page[Dispatch]:
        """List dispatches, the newest first, 1 to 1,000 a page."""
        check_limit(limit)
        before = _NEWEST if cursor is None else place_of(cursor)
        async with self._database.connection() as connection:
            found = await store.read_dispatches(connection, before=before, limit=limit + 1)
        following = str(found[limit - 1].dispatch_id) if len(found) > limit else None
        return Page(tuple(found[:limit]), following)

    async def get(self, dispatch_id: int) -> Dispatch:
        """Show one; raises `Missing` ``dispatch_unknown``."""
        async with self._database.connection() as connection:
            return await _get(connection, dispatch_id)

    async def pause(self, dispatch_id: int, *, actor: str, reason: str) -> Dispatch:
        """Make no more of it, and let what is made wait."""
        of = (DispatchState.RUNNING, DispatchState.FINISHED)
        return await self._move(
            dispatch_id, DispatchState.PAUSED, of, "dispatch.pause", (actor, reason)
        )

    async def resume(self, dispatch_id: int, *, actor: str, reason: str) -> Dispatch:
        """Go on where it was paused."""
        of = (DispatchState.PAUSED,)
        return await self._move(
            dispatch_id, DispatchState.RUNNING, of, "dispatch.resume", (actor, reason)
        )

    async def cancel(self, dispatch_id: int, *, actor: str, reason: str) -> Dispatch:
        """End it for good; what still waits of it is dropped."""
        of = (DispatchState.RUNNING, DispatchState.PAUSED, DispatchState.FINISHED)
        return await self._move(
            dispatch_id, DispatchState.CANCELED, of, "dispatch.cancel", (actor, reason)
        )

    async def _move(
        self,
        dispatch_id: int,
        state: DispatchState,
        of: tuple[DispatchState, ...],
        act: str,
        voice: tuple[str, str],
    ) -> Dispatch:
        actor, reason = voice
        check_voice(actor, reason)
        async with self._database.transaction() as connection:
            before = await _get(connection, dispatch_id)
            if not await store.move(connection, dispatch_id, state, of):
                raise Conflict(
                    "dispatch_state",
                    f"dispatch {dispatch_id} is {before.state}: it cannot be {state}",
                    state=before.state,
                )
            await record(
                connection,
                actor=actor,
                act=act,
                subject=f"dispatch_{dispatch_id}",
                reason=reason,
                before={"state": before.state},
                after={"state": state},
            )
            return await _get(connection, dispatch_id)


async def _get(connection: Connection, dispatch_id: int) -> Dispatch:
    if 0 < dispatch_id < _NEWEST:
        found = await store.read_dispatches(
            connection, before=_NEWEST, limit=1, dispatch_id=dispatch_id
        )
        if found:
            return found[0]
    raise Missing("dispatch_unknown", f"there is no dispatch {dispatch_id}", dispatch=dispatch_id)
