"""One credit to many holders: what a run posts, chunk by chunk (L2). Pure.

A distribution says no more than as many credits would, and leaves the very same entries. It is
decided column by column where nothing but the balance bears on a wallet, which is nearly always
the case and several times as quick; a wallet in which time has something to do, or that owes, goes
the general way.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from datetime import datetime
from itertools import repeat
from operator import add
from typing import Any, Final, Literal

import msgspec

from bursar.ledger.commands import Credit, canonical, house_account_of
from bursar.ledger.decision import checksum
from bursar.ledger.decision.book import detail_text
from bursar.ledger.decision.examine import examine, examine_metadata, invalid
from bursar.ledger.model import MAX_AMOUNT, MAX_BATCH, Detail, LotTerms, Refusal

_FIRST: Final = 1

Note = Mapping[str, Any] | None
"""What the metadata of one holder's entry says beyond the common."""


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """The same kind of credit to each of 1 to 10,000 holders, all under one reference.

    ``amounts`` are in the order of ``holder_ids``, and so are ``notes``: what the metadata of each
    holder's entry says beyond the common ``metadata``, or instead where both say something. A few
    notes, each the same object for many holders, cost next to nothing. The other fields are as in
    `Credit`.
    """

    asset: str
    reference: str
    holder_ids: Sequence[int]
    amounts: Sequence[int]
    kind: Literal["grant", "earn", "purchase", "refund", "opening", "adjust"] = "grant"
    house_account: str | None = None
    source: str | None = None
    metadata: dict[str, Any] | None = None
    effective_at: datetime | None = None
    lot: LotTerms | None = None
    notes: Sequence[Note] | None = None

    def credit(self, holder_id: int, amount: int, note: Note = None) -> Credit:
        """Spell out one holder's part."""
        return Credit(
            holder_id=holder_id,
            amount=amount,
            asset=self.asset,
            reference=self.reference,
            kind=self.kind,
            house_account=self.house_account,
            source=self.source,
            metadata=self.metadata_with(note),
            effective_at=self.effective_at,
            lot=self.lot,
        )

    def metadata_with(self, note: Note) -> dict[str, Any] | None:
        """Merge a holder's note over the common metadata."""
        return {**(self.metadata or {}), **note} if note else self.metadata


class Distributed(msgspec.Struct, frozen=True, kw_only=True):
    """How a distribution ended: each holder is applied, replayed or refused.

    ``applied_amount`` is what this call itself has given, the sum of the amounts of the
    ``applied`` entries. What a wallet owes and a grant pays at once (L8, `net`) is not taken off:
    it leaves by an entry of its own, of kind `withhold`. ``replayed_ids`` are the holders who had
    it before, in the order asked; ``refused`` is by holder. Who is not refused has the credit.
    """

    applied: int
    applied_amount: int
    replayed_ids: tuple[int, ...] = ()
    refused: dict[int, Refusal] = {}

    @property
    def replayed(self) -> int:
        """How many had it before."""
        return len(self.replayed_ids)


class PlainWallets(msgspec.Struct, frozen=True):
    """Wallets by column, in the order of their holders."""

    holder_ids: Sequence[int]
    seqs: Sequence[int]
    balances: Sequence[int]
    heads: Sequence[bytes]


class PlainGrants(msgspec.Struct, frozen=True):
    """What becomes of them: one entry each, by column. A single ``metadata`` is that of all."""

    holder_ids: Sequence[int]
    seqs: Sequence[int]
    amounts: Sequence[int]
    heads: Sequence[bytes]
    kind: str
    reference: str
    house_account: str
    source: str | None
    metadata: Sequence[str | None]
    details: Sequence[str | None]
    lot: LotTerms | None
    asset_id: int
    posting_id: int
    effective_at: datetime
    recorded_at: datetime


def examine_distribution(given: Distribution) -> Refusal | None:
    """Say what is malformed in a distribution as a whole, if anything."""
    holder_ids, amounts = given.holder_ids, given.amounts
    for name, numbers in (("holder_ids", holder_ids), ("amounts", amounts)):
        if not isinstance(numbers, Sequence) or not 0 < len(numbers) <= MAX_BATCH:
            return invalid(name, f"must be a list of 1 to {MAX_BATCH} numbers")
        whole = set(map(type, numbers)) == {int}
        if not whole or min(numbers) < _FIRST or max(numbers) > MAX_AMOUNT:
            return invalid(name, f"must be whole numbers from {_FIRST} to {MAX_AMOUNT}")
    if len(holder_ids) != len(amounts):
        return invalid("amounts", "must be as many as the holders")
    if len(set(holder_ids)) != len(holder_ids):
        return invalid("holder_ids", "names a holder twice")
    return examine(given.credit(holder_ids[0], amounts[0])) or _examine_notes(given)


def _examine_notes(given: Distribution) -> Refusal | None:
    if given.notes is None:
        return None
    if not isinstance(given.notes, Sequence) or len(given.notes) != len(given.holder_ids):
        return invalid("notes", "must be a list, as many as the holders")
    notes = tuple(given.notes)
    if not set(map(type, notes)) <= {dict, type(None)}:
        return invalid("notes", "must be JSON objects or nothing")
    for note in _distinct(notes).values():
        bad = examine_metadata(given.metadata_with(note) or {})
        if bad is not None:
            holder_id = next(h for h, n in zip(given.holder_ids, notes, strict=True) if n is note)
            return invalid("notes", f"of holder {holder_id}: {bad.message}")
    return None


def _distinct(notes: Sequence[Note]) -> dict[int, Note]:
    """List the notes that are objects of their own, by identity."""
    return dict(zip(map(id, notes), notes, strict=True))


def own_copy(given: Distribution) -> Distribution:
    """Take what is asked at this moment: the caller may go on to change its lists and metadata."""
    notes: tuple[Note, ...] | None = None
    if given.notes is not None:
        notes = tuple(given.notes)
        copies = {i: deepcopy(note) for i, note in _distinct(notes).items()}
        notes = tuple([copies[id(note)] for note in notes])
    return msgspec.structs.replace(
        given,
        holder_ids=tuple(given.holder_ids),
        amounts=tuple(given.amounts),
        metadata=deepcopy(given.metadata),
        notes=notes,
    )


def without_wallet(holder_ids: Sequence[int]) -> PlainWallets:
    """Describe wallets that are yet to be opened."""
    n = len(holder_ids)
    return PlainWallets(holder_ids, (0,) * n, (0,) * n, (b"",) * n)


def is_untimely(given: Distribution, now: datetime) -> bool:
    """Say whether an instant of it lies on the wrong side of now: nobody gets it."""
    expires_at = None if given.lot is None else given.lot.expires_at
    late = given.effective_at is not None and given.effective_at > now
    return late or (expires_at is not None and expires_at <= now)


def decide_plain(
    given: Distribution,
    wallets: PlainWallets,
    amounts: Sequence[int],
    notes: Sequence[Note] | None,
    *,
    asset_id: int,
    posting_id: int,
    now: datetime,
    seal: checksum.Seal,
) -> PlainGrants:
    """Grant to wallets on which nothing but the balance bears; nothing is refused any more.

    ``amounts`` and ``notes`` are in the order of the wallets.
    """
    house_account = house_account_of(given.credit(1, 1))
    effective_at = given.effective_at or now
    effective_us, recorded_us = checksum.microseconds(effective_at), checksum.microseconds(now)
    seqs = [seq + 1 for seq in wallets.seqs]
    metadata = _metadata(given, notes)
    details = _details(given, seqs, amounts)
    words = (given.kind, given.reference, house_account, given.source)
    entry = seal.entry
    heads = [
        entry(
            head,
            holder_id,
            asset_id,
            seq,
            posting_id,
            amount,
            0,
            balance + amount,
            effective_us,
            recorded_us,
            texts,
        )
        for head, holder_id, seq, amount, balance, texts in zip(
            wallets.heads,
            wallets.holder_ids,
            seqs,
            amounts,
            wallets.balances,
            _sealed_texts(words, metadata, details, len(seqs)),
            strict=True,
        )
    ]
    return PlainGrants(
        holder_ids=wallets.holder_ids,
        seqs=seqs,
        amounts=amounts,
        heads=heads,
        kind=given.kind,
        reference=given.reference,
        house_account=house_account,
        source=given.source,
        metadata=metadata,
        details=details,
        lot=given.lot,
        asset_id=asset_id,
        posting_id=posting_id,
        effective_at=effective_at,
        recorded_at=now,
    )


def _metadata(given: Distribution, notes: Sequence[Note] | None) -> list[str | None]:
    """Write the metadata of each entry, or of all at once: each note is merged but once."""
    if notes is None:
        return [None if given.metadata is None else canonical(given.metadata)]
    merged = {i: given.metadata_with(note) for i, note in _distinct(notes).items()}
    texts = {i: None if value is None else canonical(value) for i, value in merged.items()}
    return [texts[id(note)] for note in notes]


def _details(
    given: Distribution, seqs: Sequence[int], amounts: Sequence[int]
) -> Sequence[str | None]:
    """Write the detail of each entry, or of all at once: that of a lot by its pattern.

    There is no debt to pay, so that all of the amount reaches the lot.
    """
    if given.lot is None:
        return (None,)
    pattern = detail_text(Detail(lots=((0, 0),), lot=given.lot))
    before, _, after = pattern.partition("0,0")
    return [f"{before}{seq},{amount}{after}" for seq, amount in zip(seqs, amounts, strict=True)]


def _sealed_texts(
    words: tuple[str, str, str, str | None],
    metadata: Sequence[str | None],
    details: Sequence[str | None],
    count: int,
) -> Iterable[bytes]:
    """Write the texts of each entry as they are sealed; what is the same is written once."""
    first = {text: checksum.texts_before_detail(*words, text) for text in set(metadata)}
    if len(metadata) == len(details) == 1:
        return repeat(first[metadata[0]] + checksum.detail_field(details[0]), count)
    firsts = [first[text] for text in metadata]
    lasts = [checksum.detail_field(text) for text in details]
    return map(
        add,
        firsts if len(firsts) > 1 else firsts * count,
        lasts if len(lasts) > 1 else lasts * count,
    )
