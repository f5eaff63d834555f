"""Operation: everything that may be asked of it, one method each (O2)."""

from collections.abc import Coroutine
from datetime import datetime
from typing import Any, Final

from bursar import trail
from bursar.ledger import Checkpoint, Ledger, Report
from bursar.operation import checking, store
from bursar.operation.checking import Progress
from bursar.operation.model import FORGETTABLE, Forgettable, Forgotten, Verification
from bursar.platform.database import Connection
from bursar.platform.errors import Conflict, Invalid
from bursar.platform.pages import check_limit
from bursar.platform.voice import check_voice

_SELF: Final = "system:worker"
_BATCH: Final = 20_000
_LEAST_DAYS: Final = 31
_NEWEST: Final = 100


class Operation:
    """The operation of one ledger.

    All the books are checked every ``verify_hours`` (0 is never); what only serves machines is
    forgotten after ``keep_days``, 31 or more.
    """

    def __init__(self, ledger: Ledger, *, verify_hours: int = 24, keep_days: int = 400) -> None:
        if keep_days < _LEAST_DAYS:
            raise Invalid(
                "keep_days",
                f"what is forgotten is {_LEAST_DAYS} days old or more, not {keep_days}",
                days=keep_days,
            )
        self.ledger = ledger
        self._database = ledger.database
        self._verify_hours = verify_hours
        self._keep_days = keep_days

    async def verify(
        self,
        *,
        actor: str,
        reason: str,
        first_holder: int | None = None,
        last_holder: int | None = None,
        keyed_since: datetime | None = None,
        resume: Checkpoint | None = None,
        progress: Progress | None = None,
    ) -> Report:
        """Check the books now, as `Ledger.verify` does, on record (L10)."""
        check_voice(actor, reason)
        part = (first_holder, last_holder) != (None, None) or (
            resume is not None and resume.is_part
        )
        async with self._database.connection() as connection:
            number = await store.begin_check(connection, part=part, actor=actor, reason=reason)
        return await checking.check(
            self.ledger,
            number,
            first_holder=first_holder,
            last_holder=last_holder,
            keyed_since=keyed_since,
            resume=resume,
            progress=progress,
        )

    async def start_verify(
        self, *, actor: str, reason: str
    ) -> tuple[Verification, Coroutine[Any, Any, Report]]:
        """Begin a check of all the books; returns its record, and the work that is to be awaited.

        While one is under way in any process it is a `Conflict` ``verification_under_way``. What is
        broken off a worker goes on with.
        """
        check_voice(actor, reason)
        async with self._database.transaction() as connection:
            claimed = await store.claim_check(connection, hours=0, actor=actor, reason=reason)
            if claimed is None:
                raise Conflict("verification_under_way", "the books are being checked: wait for it")
            newest = await store.read_checks(connection, _NEWEST)
        [record] = [one for one in newest if one.verification_id == claimed[0]]
        return record, checking.check(self.ledger, record.verification_id, workers=1)

    async def verify_if_due(self) -> Report | None:
        """Check all the books if it is time and no other process does; None if not.

        A check that was broken off goes on where it was.
        """
        if self._verify_hours == 0:
            return None
        async with self._database.transaction() as connection:
            claimed = await store.claim_check(
                connection,
                hours=self._verify_hours,
                actor=_SELF,
                reason=f"every {self._verify_hours} h",
            )
        if claimed is None:
            return None
        number, resume = claimed
        return await checking.check(self.ledger, number, resume=resume, workers=1)

    async def verifications(self, *, limit: int = 50) -> list[Verification]:
        """List checks of the books, the newest first, 1 to 1,000."""
        check_limit(limit)
        async with self._database.connection() as connection:
            return await store.read_checks(connection, limit)

    async def forgettable(self) -> Forgotten:
        """Count what `forget` would take away."""
        async with self._database.snapshot() as connection:
            counts = {
                kind: await store.count_old(connection, kind, self._keep_days)
                for kind in FORGETTABLE
            }
        return Forgotten(**counts)

    async def forget(self, *, actor: str = _SELF, reason: str = "kept long enough") -> Forgotten:
        """Forget what only serves machines and is old enough, in batches; returns how much.

        Never entries, postings, acts or a holder's past. Each batch and its act are one
        transaction. Several processes at once do no harm.
        """
        check_voice(actor, reason)
        gone: dict[str, int] = {}
        for kind in FORGETTABLE:
            while taken := await self._forget_some(kind, actor, reason):
                gone[kind] = gone.get(kind, 0) + taken
        return Forgotten(**gone)

    async def _forget_some(self, kind: Forgettable, actor: str, reason: str) -> int:
        async def once(connection: Connection) -> int:
            taken = await store.forget_old(connection, kind, self._keep_days, _BATCH)
            if taken:
                await trail.record(
                    connection,
                    actor=actor,
                    act="retention.forget",
                    subject=kind,
                    reason=reason,
                    after={"rows": taken, "older_than_days": self._keep_days},
                )
            return taken

        return await self._database.retrying(once)

    async def sign_of_life(self, worker: str) -> None:
        """Write down that a worker lives, so that others see when none does."""
        async with self._database.connection() as connection:
            await store.note_worker(connection, worker)

    async def sign_off(self, worker: str) -> None:
        """Write down that a worker has ended as it should."""
        async with self._database.connection() as connection:
            await store.forget_worker(connection, worker)
