"""The story's words of one holder: what is theirs, and what they are told."""

from collections.abc import Mapping
from typing import Any, Final

_DATA: Final = {
    "asset": "coins",
    "amount": 250,
    "balance": 1250,
    "entry_kind": "grant",
    "reference": "program:monthly:2026-03",
    "program": "monthly",
    "period": "2026-03",
}

_QUIET: Final = {"from": "22:00", "until": "07:00"}

ELSEWHERE: Final[Mapping[str, Any]] = {
    "ClaimAnswer.awarded": 10,
    "ClaimAnswer.balance": 1260,
    "ClaimAnswer.next_available_at": "2026-03-02T00:00:00Z",
    "ClaimAnswer.period": "2026-03-01",
    "ClaimAnswer.streak": 5,
    "InboxItem.data": _DATA,
    "InboxItem.happened_at": "2026-03-01T00:00:12.100000Z",
    "InboxItem.id": "5f2c1e77-a90b-8d3c-8e6f-0a1b2c3d4e5f",
    "InboxItem.kind": "deposit",
    "InboxItem.made_at": "2026-03-01T08:12:00Z",
    "InboxItem.place": 17,
    "InboxItem.read_at": None,
    "InboxItem.text": "Your balance is now 1,250 coins.",
    "InboxItem.title": "250 coins have arrived",
    "MyAward.added": 250,
    "MyAward.after": 1250,
    "MyAward.before": 1000,
    "MyAward.days_since_last": 28,
    "MyAward.kind": "scheduled",
    "MyWishes.choices": {"reminder": {"email": False}},
    "MyWishes.quiet": _QUIET,
    "PreferencesView.chosen": {"reminder": {"email": False}},
    "PreferencesView.kinds": {
        "deposit": {"inbox": True, "email": True},
        "reminder": {"inbox": True, "email": False},
    },
    "PreferencesView.own_quiet": True,
    "PreferencesView.quiet": _QUIET,
    "ReadUpTo.up_to": 17,
    "Unread.unread": 2,
    "WasRead.read": 2,
    "Wishes.choices": {"reminder": {"email": False}},
    "Wishes.quiet": _QUIET,
}

OWN: Final[Mapping[str, Mapping[str, Any]]] = {
    "changePreferences": {"reason": "asked for by telephone"},
    "claimMine": {"program": "daily"},
    "readMyNotice": {"InboxItem.read_at": "2026-03-01T09:00:00Z"},
}
