"""Posting a distribution: the plain wallets by column, the others as commands (L2)."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext

from bursar.ledger.commands import AnyCommand
from bursar.ledger.decision.book import Voice
from bursar.ledger.decision.checksum import Seal
from bursar.ledger.decision.distribution import (
    Distributed,
    Distribution,
    Note,
    PlainWallets,
    decide_plain,
    is_untimely,
    without_wallet,
)
from bursar.ledger.model import MAX_AMOUNT, Asset, Refusal, Result, Status
from bursar.ledger.posting import store
from bursar.platform.collector import paused_collector
from bursar.platform.database import CONTENTION, REFUSED_DATA, Connection

PostRest = Callable[[Sequence[AnyCommand]], Awaitable[list[Result]]]
"""Posts commands the general way, on the same connection."""


async def distribute(
    connection: Connection,
    seal: Seal,
    asset: Asset,
    given: Distribution,
    voice: Voice,
    post_rest: PostRest,
    *,
    in_tx: bool,
) -> Distributed:
    """Post one distribution; see `Ledger.distribute`.

    What is not plain, has lost a race or was given before goes the general way, which knows
    replays, refusals and locks.
    """
    amounts = dict(zip(given.holder_ids, given.amounts, strict=True))
    notes = None if given.notes is None else dict(zip(amounts, given.notes, strict=True))
    try:
        async with connection.transaction() if in_tx else nullcontext():
            done = await _grant_plain(connection, seal, asset, given, amounts, notes, voice)
    except (*REFUSED_DATA, *CONTENTION):
        done = set()
    rest = [
        given.credit(h, amounts[h], None if notes is None else notes[h])
        for h in (amounts if len(done) < len(amounts) else ())
        if h not in done
    ]
    results = await post_rest(rest) if rest else []
    refused: dict[int, Refusal] = {}
    replayed: list[int] = []
    applied_amount = sum(given.amounts)
    for command, result in zip(rest, results, strict=True):
        holder_id = command.holder_id or 0
        if result.refusal is not None:
            refused[holder_id] = result.refusal
        elif result.status is Status.REPLAYED:
            replayed.append(holder_id)
        else:
            continue
        applied_amount -= command.amount
    return Distributed(
        applied=len(amounts) - len(replayed) - len(refused),
        applied_amount=applied_amount,
        replayed_ids=tuple(replayed),
        refused=refused,
    )


async def _grant_plain(
    connection: Connection,
    seal: Seal,
    asset: Asset,
    given: Distribution,
    amounts: dict[int, int],
    notes: dict[int, Note] | None,
    voice: Voice,
) -> set[int]:
    """Grant to the plain wallets; return the holders who now have it."""
    now, posting_ids = await store.open_batch(connection, 1)
    if is_untimely(given, now):
        return set()
    wallets = await store.read_plain_wallets(
        connection,
        list(amounts),
        asset.asset_id,
        now,
        MAX_AMOUNT - max(amounts.values()),
        in_lots=given.lot is not None,
    )
    if len(wallets.holder_ids) < len(amounts):
        seen = set(wallets.holder_ids)
        others = [holder_id for holder_id in amounts if holder_id not in seen]
        new = await store.holders_without_wallet(connection, others, asset.asset_id)
        wallets = _joined(wallets, without_wallet(new))
    if not wallets.holder_ids:
        return set()
    with paused_collector():
        grants = decide_plain(
            given,
            wallets,
            [amounts[holder_id] for holder_id in wallets.holder_ids],
            None if notes is None else [notes[holder_id] for holder_id in wallets.holder_ids],
            asset_id=asset.asset_id,
            posting_id=posting_ids[0],
            now=now,
            seal=seal,
        )
    lost = await store.write_grants(connection, grants, seal.key_id, voice)
    return set(wallets.holder_ids) - lost


def _joined(there: PlainWallets, new: PlainWallets) -> PlainWallets:
    """Put wallets that are there before those that are not."""
    return PlainWallets(
        [*there.holder_ids, *new.holder_ids],
        [*there.seqs, *new.seqs],
        [*there.balances, *new.balances],
        [*there.heads, *new.heads],
    )
