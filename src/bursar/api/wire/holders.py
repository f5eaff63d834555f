"""The directory as it is asked and answered: people, changes of them, what comes to them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from bursar.api.wire.text import BY_API, Reason, Word
from bursar.holders import Holder, HolderChange, Login, Past, Upserted
from bursar.holders.model import MAX_CHANGES
from bursar.programs.holder_view import Award, NextGrant


class HolderView(msgspec.Struct, frozen=True, kw_only=True):
    """A person of the app. ``changes`` counts how often what matters to programs has changed."""

    external_id: str
    holder_id: int
    username: str | None
    email: str | None
    locale: str | None
    time_zone: str | None
    created_at: datetime
    status: str
    tier: str
    verified: bool
    subscription_start: datetime | None
    billing_anchor: datetime | None
    last_login_at: datetime | None
    attributes: dict[str, Any]
    matters_since: datetime
    changes: int
    erased_at: datetime | None


class HolderPage(msgspec.Struct, frozen=True, kw_only=True):
    """Holders in the order of their enrolment."""

    items: list[HolderView]
    cursor: str | None


class HolderFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of a holder; what is left out stays, null clears what may be empty.

    ``attributes`` are merged name by name. ``at`` is when it happened in the app, now by default.
    """

    username: str | UnsetType | None = UNSET
    email: str | UnsetType | None = UNSET
    locale: str | UnsetType | None = UNSET
    time_zone: str | UnsetType | None = UNSET
    created_at: datetime | UnsetType = UNSET
    status: str | UnsetType = UNSET
    tier: str | UnsetType | None = UNSET
    verified: bool | UnsetType = UNSET
    subscription_start: datetime | UnsetType | None = UNSET
    billing_anchor: datetime | UnsetType | None = UNSET
    last_login_at: datetime | UnsetType = UNSET
    attributes: dict[str, Any] | UnsetType | None = UNSET
    at: datetime | None = None


class HolderFields(HolderFacts, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of one holder, and why; what is left out stays, null clears.

    ``attributes`` are merged name by name. ``at`` is when it happened in the app, now by default.
    """

    reason: Reason = BY_API


class OneHolder(HolderFacts, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A change of one holder among many; its reason is that of all."""

    external_id: Word


class HolderChanges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Up to 10,000 changes, each answered for itself."""

    changes: Annotated[list[OneHolder], msgspec.Meta(min_length=1, max_length=MAX_CHANGES)]
    reason: Reason = BY_API


class HolderRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a change was not made."""

    code: str
    message: str
    field: str


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a change: ``created``, ``changed``, ``unchanged``, or ``refused`` and why."""

    external_id: str
    outcome: str
    holder_id: int | None
    refusal: HolderRefusal | None


class ChangedMany(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each change, in their order."""

    results: list[Changed]


class Logins(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When holders were in the app, by the app's own ids; late ones may be told, too."""

    logins: Annotated[dict[str, datetime], msgspec.Meta(min_length=1, max_length=MAX_CHANGES)]


class LoginsNoted(msgspec.Struct, frozen=True, kw_only=True):
    """Of how many holders logins were noted, and which ids are not in the directory."""

    noted: int
    unknown: list[str]


class PastView(msgspec.Struct, frozen=True, kw_only=True):
    """What was in force of a holder in [since, until), and who ended it why."""

    number: int
    since: datetime
    until: datetime
    status: str
    tier: str
    verified: bool
    subscription_start: datetime | None
    billing_anchor: datetime | None
    recorded_at: datetime
    actor: str
    reason: str


class PastPage(msgspec.Struct, frozen=True, kw_only=True):
    """What was before, the newest first."""

    items: list[PastView]
    cursor: str | None


class Erasure(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That a holder's personal data is to go; credit may stay under a number if that is said."""

    reason: Reason
    with_credit: bool = False


class UniqueNames(msgspec.Struct, frozen=True, kw_only=True):
    """Which names only one holder may have."""

    username: bool
    email: bool


class NewUniqueNames(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which names are to be unique from now on; what is left out stays."""

    reason: Reason
    username: bool | None = None
    email: bool | None = None


class NextGrantView(msgspec.Struct, frozen=True, kw_only=True):
    """What a program gives next, as things stand: 0 with a ``reason`` if nothing."""

    program: str
    asset: str
    at: datetime | None
    days: int | None
    amount: int
    reason: str | None
    why: str


class NextGrantList(msgspec.Struct, frozen=True, kw_only=True):
    """What comes next from every program in force."""

    items: list[NextGrantView]


class AwardView(msgspec.Struct, frozen=True, kw_only=True):
    """What a program gave, or took back, and the balance before and after."""

    at: datetime
    program: str
    asset: str
    kind: str
    added: int
    before: int
    after: int
    tier: str | None
    days_since_last: int | None
    reference: str
    metadata: dict[str, Any]


class AwardPage(msgspec.Struct, frozen=True, kw_only=True):
    """What programs gave, the newest first."""

    items: list[AwardView]
    cursor: str | None


def holder_view(holder: Holder) -> HolderView:
    """Show a holder."""
    told: Mapping[str, Any] = msgspec.structs.asdict(holder)
    return HolderView(**{**told, "attributes": msgspec.json.decode(holder.attributes)})


def change_of(external_id: str, fields: HolderFacts) -> HolderChange:
    """Read what is said of a holder."""
    told = {
        name: getattr(fields, name)
        for name in HolderFacts.__struct_fields__
        if getattr(fields, name) is not UNSET
    }
    return HolderChange(external_id, **told)


def changed(done: Upserted) -> Changed:
    """Show what became of a change."""
    refusal = done.refusal
    return Changed(
        external_id=done.external_id,
        outcome=done.outcome,
        holder_id=done.holder_id,
        refusal=None
        if refusal is None
        else HolderRefusal(code=refusal.code, message=refusal.message, field=refusal.field),
    )


def logins_of(logins: Logins) -> list[Login]:
    """Read logins."""
    return [Login(external_id, at) for external_id, at in logins.logins.items()]


def past_view(past: Past) -> PastView:
    """Show what was before."""
    return PastView(**msgspec.structs.asdict(past))


def next_view(following: NextGrant) -> NextGrantView:
    """Show what comes next."""
    return NextGrantView(**msgspec.structs.asdict(following))


def award_view(award: Award) -> AwardView:
    """Show what was given."""
    return AwardView(**msgspec.structs.asdict(award))
