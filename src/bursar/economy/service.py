"""The economy file in force: look ahead, apply, approve (I7, P10)."""

import hashlib
from collections.abc import Mapping
from typing import Final

from bursar.economy import store
from bursar.economy.compare import compare, raised_limits
from bursar.economy.model import (
    Applied,
    Cost,
    Economy,
    Plan,
    Version,
    VersionState,
)
from bursar.economy.parse import FILE, parse, parse_applied
from bursar.economy.ports import NoticeBook, ProgramBook
from bursar.economy.store import Locked
from bursar.ledger import Ledger
from bursar.platform.database import Connection
from bursar.platform.errors import Conflict, Invalid, Missing, Rejected
from bursar.platform.voice import check_voice, person_of
from bursar.programs.model import Program
from bursar.trail import record

_PAGE: Final = 1_000
_PLANNER: Final = "plan"


class EconomyService:
    """The economy of one database; what it says of programs is made so by ``programs``.

    ``notices`` is given what it says of notices.
    """

    def __init__(
        self, ledger: Ledger, programs: ProgramBook, *, notices: NoticeBook | None = None
    ) -> None:
        self._ledger = ledger
        self._database = ledger.database
        self._programs = programs
        self._notices = notices

    async def plan(
        self, content: bytes | str, *, file: str = FILE, rename: bool = False, costs: bool = True
    ) -> Plan:
        """Tell what a file would change, and what the next periods would cost (I7).

        Everything is tried in a transaction that is rolled back, so that what `apply` would refuse
        is refused here. Raises `Invalid` ``economy_invalid`` and what `apply` raises.
        """
        economy = parse(content, file)

        async def once(
            connection: Connection,
        ) -> tuple[int, Economy | None, dict[str, int], list[str]]:
            await store.lock_economy(connection)
            base, before = await _in_force(connection)
            await self._check(connection, economy, before, rename=rename)
            versions = await self._try(connection, economy, before)
            return base, before, versions, await _raises(connection, economy, before)

        base, before, versions, raises = await self._database.retrying(once)
        changes = compare(before, economy, versions)
        moving = [c.name for c in changes if c.what == "program" and c.action != "removed"]
        return Plan(
            hash=_plan_hash(base, _digest(_text(content))),
            base=base,
            name=economy.name,
            changes=tuple(changes),
            raises=tuple(raises),
            costs=tuple([await self._cost(economy.programs[n]) for n in moving if costs]),
        )

    async def apply(
        self,
        content: bytes | str,
        *,
        actor: str,
        reason: str,
        expect: str | None = None,
        base: int | None = None,
        rename: bool = False,
        file: str = FILE,
    ) -> Applied:
        """Make a file's economy so, in one transaction; the same text again is no new version.

        A text that raises a limit waits, all of it, until a second person approves (P10); one that
        waited before is then overtaken. With ``expect``, a plan's hash, only what that plan showed
        is applied; with ``base`` only while that version is in force, 0 for none. Raises `Invalid`
        ``economy_invalid``; `Conflict` ``economy_moved``, ``precondition_failed``; `Rejected`
        ``economy_name``, ``economy_sandbox``, ``economy_scale``, and what programs refuse.
        """
        economy = parse(content, file)
        check_voice(actor, reason)
        text = _text(content)
        digest = _digest(text)

        async def once(connection: Connection) -> Applied:
            await store.lock_economy(connection)
            found = await _same_text(connection, digest)
            if found is not None:
                return Applied(found, unchanged=True)
            now, before = await _in_force(connection)
            if base is not None and base != now:
                raise Conflict(
                    "precondition_failed",
                    f"version {now} is in force, not {base}: look at it first",
                    version=now,
                )
            if expect is not None and expect != _plan_hash(now, digest):
                raise Conflict(
                    "economy_moved",
                    "this is not the file that the plan was made of, or another was applied since: "
                    "plan again",
                    base=now,
                )
            await self._check(connection, economy, before, rename=rename)
            if waits := bool(await _raises(connection, economy, before)):
                await self._try(connection, economy, before)
            else:
                await self._enact(connection, economy, before, actor=actor, reason=reason)
            overtaken = await store.decide_waiting(connection, VersionState.REFUSED, actor=actor)
            version = await store.add_version(
                connection,
                name=economy.name,
                text=text,
                sha256=digest,
                state=VersionState.WAITING if waits else VersionState.APPLIED,
                actor=actor,
                reason=reason,
            )
            await _record(
                connection, "economy.apply", version, (actor, reason), now, before, overtaken
            )
            return Applied(version, unchanged=False)

        return await self._database.retrying(once)

    async def approve(self, version: int, *, actor: str, reason: str) -> Version:
        """Put a version that waits in force, as a second person (P10).

        Raises `Missing` ``economy_version_unknown``, `Conflict` ``economy_decided`` if it waits no
        more, `Rejected` ``economy_second_person`` for who handed it in, and what `apply` raises.
        """
        check_voice(actor, reason)

        async def once(connection: Connection) -> Version:
            await store.lock_economy(connection)
            waiting = await _waiting(connection, version)
            if person_of(waiting.actor) == person_of(actor):
                raise Rejected(
                    "economy_second_person",
                    f"version {version} was handed in by {actor}: a second person must approve it",
                    version=version,
                )
            economy = parse(waiting.text)
            base, before = await _in_force(connection)
            await self._check(connection, economy, before, rename=True)
            await self._enact(
                connection, economy, before, actor=waiting.actor, reason=waiting.reason
            )
            decided = await _decided(connection, VersionState.APPLIED, actor)
            await _record(connection, "economy.approve", decided, (actor, reason), base, before)
            return decided

        return await self._database.retrying(once)

    async def refuse(self, version: int, *, actor: str, reason: str) -> Version:
        """Refuse a version that waits; whoever handed it in may withdraw it so."""
        check_voice(actor, reason)

        async def once(connection: Connection) -> Version:
            await store.lock_economy(connection)
            await _waiting(connection, version)
            decided = await _decided(connection, VersionState.REFUSED, actor)
            base, before = await _in_force(connection)
            await _record(connection, "economy.refuse", decided, (actor, reason), base, before)
            return decided

        return await self._database.retrying(once)

    async def show(self, version: int | None = None) -> Version:
        """Show the version in force, or one by number; raises `Missing`."""
        async with self._database.connection() as connection:
            if version is None:
                found = await store.read_in_force(connection)
            else:
                found = await store.read_version(connection, version)
        if found is None and version is None:
            raise Missing("economy_missing", "no economy file has been applied yet")
        return found or _unknown(version)

    async def history(self, *, below: int | None = None, limit: int = 50) -> list[Version]:
        """List versions, the newest first, 1 to 1,000, below a number."""
        if not 1 <= limit <= _PAGE:
            raise Invalid("page_limit", f"a page has 1 to {_PAGE} versions", limit=limit)
        async with self._database.connection() as connection:
            return await store.read_history(connection, below, limit)

    async def _check(
        self, connection: Connection, economy: Economy, before: Economy | None, *, rename: bool
    ) -> None:
        """Refuse what may not become of the economy that there is."""
        if before is not None and before.name != economy.name and not rename:
            raise Rejected(
                "economy_name",
                f"these are the books of {before.name}, and the file is of {economy.name}; "
                "if it is to be renamed, say so",
                name=before.name,
            )
        _check_scales(economy, {a.code: a.scale for a in await self._ledger.assets(tx=connection)})
        _check_sandbox(
            economy,
            await store.lock_economy(connection),
            used=await store.has_entries(connection),
        )

    async def _enact(
        self,
        connection: Connection,
        economy: Economy,
        before: Economy | None,
        *,
        actor: str,
        reason: str,
    ) -> dict[str, int]:
        """Make everything so; returns the versions of the programs."""
        for code, scale in economy.assets.items():
            await self._ledger.add_asset(
                code, scale=scale, actor=actor, reason=reason, tx=connection
            )
        await store.set_sandbox(connection, sandbox=economy.sandbox)
        gone = (before.programs.keys() if before else set()) - economy.programs.keys()
        for name in sorted(gone):
            await self._programs.retire(connection, name, actor=actor, reason=reason)
        versions = {}
        for name, program in sorted(economy.programs.items()):
            versions[name] = await self._programs.put(
                connection, program, actor=actor, reason=reason
            )
        if self._notices is not None:
            await self._notices.put(connection, economy.notices)
        return versions

    async def _try(
        self, connection: Connection, economy: Economy, before: Economy | None
    ) -> dict[str, int]:
        """Do as `_enact` does, and take it back."""
        async with connection.transaction(force_rollback=True):
            return await self._enact(
                connection, economy, before, actor=_PLANNER, reason="only a plan"
            )

    async def _cost(self, program: Program) -> Cost:
        """Look ahead to a program's next period; one that is off costs nothing."""
        if not program.enabled:
            return Cost(program.name, program.asset, awards=0, amount=0, failed=0, excluded={})
        told = await self._programs.forecast(program)
        return Cost(
            program.name,
            program.asset,
            awards=told.awards,
            amount=told.amount,
            failed=told.failed,
            excluded=told.excluded,
        )


def _check_scales(economy: Economy, scales: Mapping[str, int]) -> None:
    for code, scale in economy.assets.items():
        if scales.get(code, scale) != scale:
            raise Rejected(
                "economy_scale",
                f"asset {code} has {scales[code]} decimal places for good, not {scale}",
                asset=code,
                scale=scales[code],
            )


def _check_sandbox(economy: Economy, now: Locked, *, used: bool) -> None:
    if now.moved and not economy.sandbox:
        raise Rejected(
            "economy_sandbox", "the clock of this sandbox was moved: it stays a sandbox", used=used
        )
    if economy.sandbox and not now.sandbox and used:
        raise Rejected(
            "economy_sandbox",
            "there are entries that were not made in a sandbox: it cannot become one",
            used=used,
        )


async def _in_force(connection: Connection) -> tuple[int, Economy | None]:
    """Read the number and the economy of the version in force."""
    version = await store.read_in_force(connection)
    return (0, None) if version is None else (version.version, parse_applied(version.text))


async def _same_text(connection: Connection, digest: str) -> Version | None:
    """Find the version in force, or that waits, if it has this text."""
    for version in (await store.read_waiting(connection), await store.read_in_force(connection)):
        if version is not None and version.sha256 == digest:
            return version
    return None


async def _raises(connection: Connection, economy: Economy, before: Economy | None) -> list[str]:
    """Name the limits that are raised against the last that each program had (P10).

    A program that was taken out and comes back is held against what it was when it went, so that
    no limit is raised in two steps by one person.
    """
    last = dict(before.programs) if before else {}
    for name in economy.programs.keys() - last.keys():
        for text in await store.read_applied_texts(connection, name):
            if program := parse_applied(text).programs.get(name):
                last[name] = program
                break
    return raised_limits(last, economy.programs)


async def _waiting(connection: Connection, version: int) -> Version:
    """Find the version that waits; raises if this one does not."""
    found = await store.read_version(connection, version) or _unknown(version)
    if found.state is not VersionState.WAITING:
        raise Conflict(
            "economy_decided",
            f"version {version} does not wait: it is {found.state.value}",
            version=version,
            state=found.state.value,
        )
    return found


async def _record(
    connection: Connection,
    act: str,
    version: Version,
    voice: tuple[str, str],
    base: int,
    before: Economy | None,
    overtaken: Version | None = None,
) -> None:
    """Write down what was done with a version while version ``base`` was in force (I2)."""
    after: dict[str, object] = {
        "version": version.version,
        "name": version.name,
        "sha256": version.sha256,
        "state": version.state,
    }
    if overtaken is not None:
        after["overtaken"] = overtaken.version
    actor, reason = voice
    await record(
        connection,
        actor=actor,
        act=act,
        subject=f"version_{version.version}",
        reason=reason,
        before={"version": base, "name": None if before is None else before.name},
        after=after,
    )


async def _decided(connection: Connection, state: VersionState, actor: str) -> Version:
    decided = await store.decide_waiting(connection, state, actor=actor)
    assert decided is not None  # noqa: S101 - it was read under the lock
    return decided


def _unknown(version: int | None) -> Version:
    raise Missing("economy_version_unknown", f"there is no version {version}", version=version)


def _text(content: bytes | str) -> str:
    """Return the text as it is kept: what `parse` has read, its line ends included."""
    return content if isinstance(content, str) else content.decode("utf-8-sig")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _plan_hash(base: int, digest: str) -> str:
    """Name a text on a version: long enough that no other file is taken for it."""
    return hashlib.sha256(f"{base}:{digest}".encode()).hexdigest()[:32]
