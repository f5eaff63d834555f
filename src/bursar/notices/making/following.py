"""Following the journal: what single movements are told as is sent at once (N2, N3).

What a run gives is left to its dispatch: of such postings not even the entries are read. The
cursor moves with what is placed, so that each fact is placed once.
"""

import re
from collections.abc import Sequence
from typing import Final

from bursar.ledger import Ledger, Posted, Posting
from bursar.notices.deriving import source_of, told
from bursar.notices.making.placing import Outlets, place
from bursar.notices.model import Notice
from bursar.notices.program_kinds import ProgramKinds
from bursar.notices.store import State, read_state
from bursar.platform.database import Connection

FOLLOWER: Final = "notices"
_RUN: Final = re.compile("run_[0-9]{1,18}")
_POSTINGS: Final = 500
_TOGETHER: Final = 2_000


async def follow(ledger: Ledger, kinds: ProgramKinds, state: State, outlets: Outlets) -> int:
    """Place what the next postings are told as; returns how many postings were passed."""
    started_at = state.started_at

    def wanted(posting: Posting) -> bool:
        return (
            outlets.any
            and started_at is not None
            and posting.recorded_at >= started_at
            and not _RUN.fullmatch(posting.actor)
        )

    async def handle(posted: Sequence[Posted], connection: Connection) -> None:
        now = await read_state(connection)
        assets: dict[int, str] = {
            asset.asset_id: asset.code for asset in await ledger.assets(tx=connection)
        }
        await kinds.load(connection, (source_of(e) for one in posted for e in one.entries))
        parts: list[list[Notice]] = []
        for one in posted:
            parts.append(
                [
                    notice
                    for entry in one.entries
                    for notice in told(entry, assets[entry.asset_id], now.settings, kinds)
                ]
            )
            if sum(map(len, parts)) >= _TOGETHER:
                await place(connection, now, outlets, parts)
                parts = []
        await place(connection, now, outlets, parts)

    return await ledger.follow(FOLLOWER, handle, postings=_POSTINGS, wanted=wanted)
