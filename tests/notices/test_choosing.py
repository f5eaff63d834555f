"""Which ways a notice takes, and when its e-mail may go."""

from datetime import UTC, datetime, time

import pytest

from bursar.notices.choosing import channels, not_before
from bursar.notices.model import (
    NEVER_QUIET,
    NO_PREFERENCES,
    Channel,
    Kind,
    NoticeSettings,
    Preferences,
    QuietHours,
)

NIGHT = QuietHours(time(22), time(7))
NAP = QuietHours(time(13), time(15))
BERLIN = "Europe/Berlin"


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)


def test_a_kind_takes_its_own_defaults_before_those_of_all() -> None:
    settings = NoticeSettings(channels=("inbox",), by_kind={Kind.DEPOSIT: ("email",)})

    assert channels(Kind.DEPOSIT, settings, NO_PREFERENCES) == (Channel.EMAIL,)
    assert channels(Kind.REMINDER, settings, NO_PREFERENCES) == (Channel.INBOX,)


def test_what_a_holder_chooses_wins_for_that_kind_and_channel_alone() -> None:
    chosen = Preferences(choices={Kind.DEPOSIT: {"email": False}, Kind.REMINDER: {"inbox": True}})
    settings = NoticeSettings(by_kind={Kind.REMINDER: ()})

    assert channels(Kind.DEPOSIT, settings, chosen) == (Channel.INBOX,)
    assert channels(Kind.REMINDER, settings, chosen) == (Channel.INBOX,)
    assert channels(Kind.CORRECTED, settings, chosen) == (Channel.INBOX, Channel.EMAIL)


@pytest.mark.parametrize(
    ("now", "quiet", "zone", "expected"),
    [
        (at(2026, 1, 5, 12), NIGHT, BERLIN, at(2026, 1, 5, 12)),  # one o'clock: not quiet
        (at(2026, 1, 5, 21), NIGHT, BERLIN, at(2026, 1, 6, 6)),  # ten in the evening: at seven
        (at(2026, 1, 6, 5, 59), NIGHT, BERLIN, at(2026, 1, 6, 6)),  # a minute to seven
        (at(2026, 1, 6, 6), NIGHT, BERLIN, at(2026, 1, 6, 6)),  # seven: the hours are over
        (at(2026, 1, 5, 13), NAP, "UTC", at(2026, 1, 5, 15)),
        (at(2026, 1, 5, 15), NAP, "UTC", at(2026, 1, 5, 15)),
        (at(2026, 1, 5, 23), NIGHT, None, at(2026, 1, 6, 7)),
        (at(2026, 1, 5, 23), NIGHT, "Nowhere/Land", at(2026, 1, 6, 7)),
        (at(2026, 3, 28, 22), NIGHT, BERLIN, at(2026, 3, 29, 5)),  # the clocks go forward at two
        (at(2026, 1, 5, 23), NEVER_QUIET, BERLIN, at(2026, 1, 5, 23)),
        (at(2026, 1, 5, 23), None, BERLIN, at(2026, 1, 5, 23)),
    ],
)
def test_an_email_waits_for_the_end_of_the_quiet_hours_where_the_holder_is(
    now: datetime, quiet: QuietHours | None, zone: str | None, expected: datetime
) -> None:
    assert not_before(now, quiet, zone) == expected
