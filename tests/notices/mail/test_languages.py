"""Amounts, days and hours as people write them where they live; never through a float."""

from datetime import UTC, datetime

import pytest
from babel import Locale

from bursar.notices.mail.languages import (
    amount_in_words,
    date_in_words,
    hour_in_words,
    language_of,
    locale_for,
    period_in_words,
)

MIDNIGHT = datetime(2026, 11, 30, 23, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("de-AT", "de"),
        ("DE_ch", "de"),
        ("en", "en"),
        ("fr-FR", "en"),
        ("den", "en"),
        ("", "en"),
        (None, "en"),
        ("../../etc", "en"),
    ],
)
def test_the_language_is_the_locales_if_there_are_texts_in_it(
    locale: str | None, language: str
) -> None:
    assert language_of(locale, ("en", "de"), "en") == language


@pytest.mark.parametrize(
    ("locale", "otherwise", "language"),
    [("it", "fr", "fr"), ("de", "fr", "de"), ("it", "sv", "en"), (None, "sv", "en")],
)
def test_the_economys_language_is_next_and_english_the_last(
    locale: str | None, otherwise: str, language: str
) -> None:
    assert language_of(locale, ("en", "de", "fr"), otherwise) == language


@pytest.mark.parametrize(
    ("amount", "scale", "locale", "written"),
    [
        (1_234_567, 0, "en", "1,234,567"),
        (1_234_567, 2, "de", "12.345,67"),
        (1_200, 2, "de", "12,00"),
        (5, 3, "en", "0.005"),
        (0, 2, "en", "0.00"),
        (-1_500, 0, "de", "-1.500"),
        (1_234_567, 0, "de-CH", "1’234’567"),
        (2**63 - 1, 12, "en", "9,223,372.036854775807"),
        (-(2**63), 0, "de", "-9.223.372.036.854.775.808"),
    ],
)
def test_amounts_are_written_with_all_their_decimals_and_no_others(
    amount: int, scale: int, locale: str, written: str
) -> None:
    assert amount_in_words(amount, scale, Locale.parse(locale, sep="-")) == written


@pytest.mark.parametrize(
    ("locale", "language", "found"),
    [
        ("de-AT", "de", "de_AT"),
        ("en_GB", "en", "en_GB"),
        ("fr-FR", "en", "en"),
        (None, "de", "de"),
        ("de-XX-foo-bar", "de", "de"),
        ("de-AT-nonsense1", "de", "de_AT"),
        ("xx", "xx", "en"),
        ("de-" + "a" * 500, "de", "de"),
    ],
)
def test_a_locale_that_nobody_knows_is_cut_back_to_one_that_is(
    locale: str | None, language: str, found: str
) -> None:
    assert str(locale_for(locale, language)) == found


def test_a_day_is_the_readers_own() -> None:
    assert date_in_words(MIDNIGHT, "Europe/Berlin", Locale("de")) == "1. Dezember 2026"
    assert date_in_words(MIDNIGHT, "America/New_York", Locale("en", "US")) == "November 30, 2026"
    assert date_in_words(MIDNIGHT, "No/Where", Locale("en", "GB")) == "30 November 2026"


def test_an_hour_says_of_which_zone_it_is() -> None:
    assert hour_in_words(MIDNIGHT, "Europe/Berlin", Locale("de")) == "00:00 MEZ"
    assert hour_in_words(MIDNIGHT, "Europe/Berlin", Locale("en", "US")).endswith("GMT+01:00")
    summer = datetime(2026, 7, 1, 10, tzinfo=UTC)
    assert hour_in_words(summer, "Europe/Berlin", Locale("de")) == "12:00 MESZ"


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("2026-12", "Dezember 2026"),
        ("2026-12-01", "1. Dezember 2026"),
        ("2026-13", ""),
        ("2026-02-30", ""),
        ("2026-W07", ""),
        ("once", ""),
        ("", ""),
        ("²026-01", ""),
    ],
)
def test_a_period_is_said_as_people_say_it_or_not_at_all(key: str, written: str) -> None:
    assert period_in_words(key, Locale("de")) == written
