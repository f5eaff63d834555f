"""From the table ``[notices]`` to `NoticeSettings`, key by key (N1, N4, N5). Pure."""

import re
from collections.abc import Collection, Iterable
from datetime import time
from typing import Final, get_args

import msgspec

from bursar.economy.fields import Fields, kind, one_of, suggestion
from bursar.notices.kinds import OF_HOLDERS, OF_OPERATORS, OF_THE_REST
from bursar.notices.model import Kind, NoticeSettings, Personal, QuietHours
from bursar.platform.mailbox import is_address

MOST_DAYS: Final = 60
"""So many days ahead a reminder or a warning may come at most."""
_MOST_OPERATORS: Final = 50
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")
_MOST_NAME: Final = 60
_MOST_PRODUCT: Final = 100
_KEEP_DAYS: Final = (31, 36_500)
_CHANNELS: Final[tuple[Personal, ...]] = get_args(Personal)


def read_notices(
    table: Fields | None, assets: Collection[str], *, product: str, time_zone: str
) -> NoticeSettings:
    """Read what the file says of notices; without the table all is as usual.

    ``product`` and ``time_zone`` are the economy's; the file may name another product.
    """
    usual = NoticeSettings(product=product, time_zone=time_zone)
    if table is None:
        return usual
    read = NoticeSettings(
        product=_filled(table, "product", product, _MOST_PRODUCT),
        time_zone=time_zone,
        send=_send(table),
        channels=_channels(table, usual.channels),
        quiet=_quiet(table.table("quiet", '{ from = "22:00", until = "07:00" }')),
        language=_language(table, usual.language),
        keep_days=_or(table.number("keep_days", *_KEEP_DAYS), usual.keep_days),
        operators=_operators(table),
        names=_names(table.table("names"), assets),
    )
    read = _of_kinds(table, read, assets)
    table.end()
    return read


def unknown_kind(word: str, known: Iterable[Kind], what: str) -> str:
    """Say what is wrong with a word that is not one of these kinds."""
    choices = _spelt(known)
    if word in OF_OPERATORS:
        return f"{word} is for operators, who get it always"
    if word in _spelt(Kind):
        return f"{word} is not among what {what}: {one_of(choices)}"
    return f"there is no kind {word}; {what} {one_of(choices)}{suggestion(word, choices)}"


def _of_kinds(table: Fields, read: NoticeSettings, assets: Collection[str]) -> NoticeSettings:
    """Read the tables of single kinds."""
    by_kind: dict[Kind, tuple[Personal, ...]] = {}
    below: dict[str, int] = {}
    days = {Kind.REMINDER: read.reminder_days, Kind.EXPIRING_SOON: read.expiring_days}
    for one in OF_HOLDERS:
        inner = table.table(one.value, '{ channels = ["inbox"] }')
        if inner is None:
            continue
        own = _channels(inner, read.channels)
        if "channels" in inner:
            by_kind[one] = own
        if one is Kind.LOW_BALANCE:
            below = _below(inner.table("below", "{ coins = 100 }"), assets)
        if one in days:
            days[one] = inner.number("days", 1, MOST_DAYS) or days[one]
        inner.end()
    for one in OF_OPERATORS:
        if table.take(one.value) is not None:
            table.wrong(
                one.value, "is for operators, by e-mail and webhooks: there is nothing to choose"
            )
    _check_low_balance(table, read, bool(below))
    return msgspec.structs.replace(
        read,
        by_kind=by_kind,
        below=below,
        reminder_days=days[Kind.REMINDER],
        expiring_days=days[Kind.EXPIRING_SOON],
    )


def _check_low_balance(table: Fields, read: NoticeSettings, limited: bool) -> None:
    """Check that a low balance is told and limited, or neither."""
    inner = table.take(Kind.LOW_BALANCE.value)
    named = isinstance(inner, dict) and "below" in inner
    if Kind.LOW_BALANCE in read.send and not named:
        text = "names low_balance, and no balance is low: low_balance.below = { coins = 100 }"
        table.wrong("send", text)
    if Kind.LOW_BALANCE not in read.send and limited:
        text = "is never told: send does not name low_balance"
        table.problems.add((*table.path, Kind.LOW_BALANCE.value, "below"), text)


def _send(table: Fields) -> tuple[Kind, ...]:
    """Read which kinds are told of what no program does."""
    given = table.names("send")
    for word in given:
        if word not in OF_THE_REST:
            table.wrong("send", unknown_kind(word, OF_THE_REST, "send tells"))
    return tuple(one for one in Kind if one in OF_THE_REST and one in given)


def _spelt(kinds: Iterable[Kind]) -> list[str]:
    """Spell kinds in the order in which they are listed everywhere."""
    some = frozenset(kinds)
    return [one.value for one in Kind if one in some]


def _channels(table: Fields, default: tuple[Personal, ...]) -> tuple[Personal, ...]:
    """Read channels; none at all is a choice: who wants to be told then says so."""
    given = table.names("channels")
    if "channels" not in table:
        return default
    for word in given:
        if word not in _CHANNELS:
            near = suggestion(word, _CHANNELS)
            table.wrong("channels", f"{word} is no channel to people: {one_of(_CHANNELS)}{near}")
    return tuple(one for one in _CHANNELS if one in given)


def _quiet(table: Fields | None) -> QuietHours | None:
    if table is None:
        return None
    for key in ("from", "until"):
        table.required(key)
    start, until = table.hour("from", None), table.hour("until", None)
    table.end()
    if start is None or until is None:
        return None
    if start == until:
        table.wrong("until", "is the same hour as from: leave quiet out, or name another")
    return QuietHours(time.fromisoformat(start), time.fromisoformat(until))


def _operators(table: Fields) -> tuple[str, ...]:
    """Read the addresses of operators, each once."""
    value = table.take("operators")
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        what = 'must be a list of e-mail addresses, like ["ops@club.example"]'
        table.wrong("operators", what if isinstance(value, list) else f"{what}, not {kind(value)}")
        return ()
    if len(value) > _MOST_OPERATORS:
        table.wrong("operators", f"may name {_MOST_OPERATORS} at most")
        return ()
    for number, item in enumerate(value, 1):
        if not is_address(item):
            text = f"number {number} is no e-mail address; write it like ops@club.example"
            table.wrong("operators", text)
    if len({item.casefold() for item in value}) < len(value):
        table.wrong("operators", "names somebody twice")
    return tuple(value)


def _language(table: Fields, usual: str) -> str:
    """Read a language: one of ours, or one that the operator has texts in."""
    language = table.text("language", usual)
    if not _LANGUAGE.fullmatch(language):
        table.wrong("language", "is no language; write it like en, de or fr")
        return usual
    return language


def _names(table: Fields | None, assets: Collection[str]) -> dict[str, dict[str, str]]:
    """Read what people call the assets, by language: also one of the operator's own texts."""
    read: dict[str, dict[str, str]] = {}
    for code, inner in _by_asset(table, assets, '{ en = "coins" }'):
        words = {language: _filled(inner, language, "", _MOST_NAME) for language in inner.each()}
        for language in words:
            if not _LANGUAGE.fullmatch(language):
                inner.wrong(language, "is no language; write it like en, de or fr")
        read[code] = {language: word for language, word in words.items() if word}
    return read


def _by_asset(
    table: Fields | None, assets: Collection[str], example: str
) -> Iterable[tuple[str, Fields]]:
    if table is not None:
        for code in table.each():
            inner = table.table(code, example)
            if code not in assets:
                table.wrong(code, _no_asset(code, assets))
            elif inner is not None:
                yield code, inner


def _below(table: Fields | None, assets: Collection[str]) -> dict[str, int]:
    """Read under how much a balance is low, by asset."""
    read: dict[str, int] = {}
    if table is None:
        return read
    if table.empty:
        table.wrong(None, "names no asset")
    for code in table.each():
        amount = table.amount(code)
        if code not in assets:
            table.wrong(code, _no_asset(code, assets))
        elif amount is not None:
            read[code] = amount
    return read


def _no_asset(code: str, assets: Collection[str]) -> str:
    return f"there is no such asset{suggestion(code, assets)}"


def _filled(table: Fields, key: str, default: str, most: int) -> str:
    """Read a text that is not blank."""
    text = table.text(key, default, most=most)
    if isinstance(table.take(key), str) and not text.strip():
        table.wrong(key, "may not be empty")
    return text


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
