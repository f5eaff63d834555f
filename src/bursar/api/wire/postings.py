"""Postings as they are answered."""

from datetime import datetime

import msgspec

from bursar.ledger import Posting


class PostingView(msgspec.Struct, frozen=True, kw_only=True):
    """A set of entries written in one transaction, by one actor, for one reason."""

    posting_id: int
    recorded_at: datetime
    entries: int
    actor: str
    reason: str


def posting_view(posting: Posting) -> PostingView:
    """Show a posting."""
    return PostingView(**msgspec.structs.asdict(posting))
