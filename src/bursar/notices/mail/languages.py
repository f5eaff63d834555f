"""Which language a person reads, and how amounts, dates and hours are written there. Pure.

Amounts are whole minor units and go through `Decimal`, never through a float. A locale that nobody
knows is no error: the app may send any tag, and a letter in the economy's language is better than
none.
"""

from collections.abc import Collection
from datetime import date, datetime, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.dates import (
    format_date,
    format_skeleton,
    format_time,
    get_timezone,
    get_timezone_gmt,
    get_timezone_name,
)
from babel.numbers import NumberPattern, parse_pattern

from bursar.notices.kinds import LANGUAGES

_SPARE: Final = Locale("en")


def language_of(locale: str | None, known: Collection[str], otherwise: str) -> str:
    """Choose the language of a holder's texts: that of the locale, if there are texts in it.

    Else the economy's, and English where there are none in that.
    """
    language = (locale or "").replace("_", "-").partition("-")[0].lower()
    return next((one for one in (language, otherwise) if one in known), LANGUAGES[0])


@lru_cache(maxsize=1_000)
def locale_for(locale: str | None, language: str) -> Locale:
    """Choose how numbers and dates are written: as the locale says, where its language is used.

    Else as the language itself does: a French date in an English sentence is no help to anybody.
    What follows a tag that is not understood is left off, part by part.
    """
    parts = (locale or "").replace("_", "-").split("-")
    if parts[0].lower() == language:
        for most in range(len(parts), 0, -1):
            if (found := _parse("_".join(parts[:most]))) is not None:
                return found
    return _parse(language) or _SPARE


def amount_in_words(amount: int, scale: int, locale: Locale) -> str:
    """Write minor units with as many decimals as the asset has: 123456 of scale 2 is 1,234.56."""
    value = Decimal(amount).scaleb(-scale)
    written: str = _pattern(locale, scale).apply(value, locale)
    return written


def date_in_words(instant: datetime, zone: str, locale: Locale) -> str:
    """Write the day on which an instant falls in a zone: December 1, 2026."""
    return format_date(instant.astimezone(_zone(zone)), "long", locale=locale)


def hour_in_words(instant: datetime, zone: str, locale: Locale) -> str:
    """Write the hour at which an instant falls in a zone, with the zone: 00:00 MEZ."""
    there = _zone(zone)
    local = instant.astimezone(there)
    name = get_timezone_name(local, width="short", locale=locale)
    if name[:1] in ("+", "-"):  # the language has no name for it
        name = get_timezone_gmt(local, width="long", locale=locale)
    return f"{format_time(local, 'short', tzinfo=there, locale=locale)} {name}"


def period_in_words(key: str, locale: Locale) -> str:
    """Write a period's key as people say it, ``2026-12`` or ``2026-12-01``; others stay unsaid."""
    year, _, rest = key.partition("-")
    month, _, day = rest.partition("-")
    numbers = (year, month, day or "1")
    if not all(part.isascii() and part.isdigit() for part in numbers) or len(year) != 4:
        return ""
    try:
        named = date(*map(int, numbers))
    except ValueError:
        return ""
    if day:
        return format_date(named, "long", locale=locale)
    return format_skeleton("yMMMM", datetime(named.year, named.month, 1), locale=locale)  # noqa: DTZ001


def _zone(name: str) -> tzinfo:
    try:
        return get_timezone(name)
    except LookupError:
        return get_timezone("UTC")


def _parse(tag: str) -> Locale | None:
    try:
        return Locale.parse(tag)
    except (UnknownLocaleError, ValueError):
        return None


@lru_cache(maxsize=1_000)
def _pattern(locale: Locale, scale: int) -> NumberPattern:
    pattern = parse_pattern(locale.decimal_formats[None].pattern)
    pattern.frac_prec = (scale, scale)
    return pattern
