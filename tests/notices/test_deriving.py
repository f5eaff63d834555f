"""What an entry is told as, and what it is not."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from bursar.ledger.catalogue import Kind as Movement
from bursar.ledger.model import Detail, Entry
from bursar.notices.deriving import Source, source_of, spelled, told
from bursar.notices.model import Kind, Notice, NoticeSettings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALL = NoticeSettings(send=tuple(Kind), below={"coins": 100})


def entry(kind: Movement = Movement.GRANT, amount: int = 50, **said: Any) -> Entry:
    """One entry of holder 7's coins; ``balance`` is that after it."""
    values: dict[str, Any] = {
        "holder_id": 7,
        "asset_id": 1,
        "seq": 3,
        "posting_id": 9,
        "kind": kind,
        "amount": amount,
        "held_change": 0,
        "balance": 500,
        "reference": "r",
        "house_account": "issuance",
        "source": None,
        "effective_at": NOON,
        "recorded_at": NOON,
        "metadata": None,
        "detail": None,
        "key_id": 0,
        "checksum": b"",
    }
    return Entry(**values | said)


def awarded(**said: Any) -> Entry:
    """An award of the second version of ``monthly``."""
    metadata = {"program": "monthly", "version": 2, "period": "2026-03", "kind": "scheduled"}
    return entry(metadata=msgspec.json.encode(metadata | said).decode())


def notices(of: Entry, settings: NoticeSettings = ALL, *sent: Kind) -> list[Notice]:
    return list(told(of, "coins", settings, lambda _: frozenset(sent)))


def kinds(of: Entry, settings: NoticeSettings = ALL, *sent: Kind) -> list[Kind]:
    return [notice.kind for notice in notices(of, settings, *sent)]


@pytest.mark.parametrize("kind", ["grant", "earn", "purchase", "refund", "transfer_in"])
def test_what_arrives_is_told_as_a_deposit(kind: str) -> None:
    [notice] = notices(entry(Movement(kind)))

    assert notice.kind is Kind.DEPOSIT
    assert notice.happened_at == NOON
    assert notice.data == {
        "asset": "coins",
        "amount": 50,
        "balance": 500,
        "reference": "r",
        "entry_kind": kind,
    }


@pytest.mark.parametrize(
    ("kind", "amount"),
    [("opening", 50), ("spend", -50), ("hold", 0), ("extend", 0), ("limit", 0), ("grant", 0)],
)
def test_what_nobody_need_be_told_is_not(kind: str, amount: int) -> None:
    assert kinds(entry(Movement(kind), amount)) == []


def test_what_the_economy_does_not_send_is_not_told() -> None:
    quiet = NoticeSettings()
    for kind in Movement:
        assert kinds(entry(kind, -50, balance=70), quiet) == []


def test_an_award_is_told_as_its_program_says_not_as_the_economy_does() -> None:
    assert kinds(awarded()) == []
    assert kinds(awarded(), NoticeSettings(), Kind.DEPOSIT) == [Kind.DEPOSIT]


def test_one_award_has_one_notice() -> None:
    both = kinds(awarded(), ALL, Kind.DEPOSIT, Kind.REFRESH_DONE)

    assert both == [Kind.REFRESH_DONE]


def test_an_award_names_its_program_and_period() -> None:
    [notice] = notices(awarded(), ALL, Kind.REFRESH_DONE)

    assert (notice.data["program"], notice.data["period"]) == ("monthly", "2026-03")
    assert notice.data["award"] == "scheduled"
    assert source_of(awarded()) == Source("monthly", 2)


@pytest.mark.parametrize("said", [{"version": "2"}, {"version": True}, {"program": 7}])
def test_metadata_of_an_app_is_not_taken_for_a_program(said: dict[str, Any]) -> None:
    assert source_of(awarded(**said)) is None


@pytest.mark.parametrize("kind", ["reverse", "adjust"])
def test_what_is_taken_back_or_put_right_is_a_correction(kind: str) -> None:
    [notice] = notices(entry(Movement(kind), -50))

    assert notice.kind is Kind.CORRECTED
    assert notice.data["amount"] == -50


def test_only_the_entry_that_crosses_the_mark_tells_of_a_low_balance() -> None:
    crossing = entry(Movement.SPEND, -50, balance=99)
    already = entry(Movement.SPEND, -50, balance=49)
    reaching = entry(Movement.SPEND, -50, balance=100)

    [notice] = notices(crossing)
    assert notice.data == {"asset": "coins", "balance": 99, "below": 100}
    assert kinds(already) == kinds(reaching) == []


def test_a_correction_that_brings_the_balance_low_is_two_facts() -> None:
    both = kinds(entry(Movement.REVERSE, -450, balance=50))

    assert both == [Kind.CORRECTED, Kind.LOW_BALANCE]


def test_a_lapse_tells_which_hold_and_how_much_is_back() -> None:
    lapse = entry(Movement.LAPSE, 0, held_change=-30, detail=Detail(hold="bet-1"))

    [notice] = notices(lapse)
    assert notice.data == {"asset": "coins", "amount": 30, "reference": "bet-1"}


def test_the_same_fact_has_the_same_id_and_another_another() -> None:
    one, again = notices(entry())[0], notices(entry())[0]
    others = [
        notices(other)[0]
        for other in (entry(seq=4), entry(asset_id=2), entry(holder_id=8), entry(Movement.ADJUST))
    ]

    assert one.notice_id == again.notice_id
    assert len({one.notice_id, *(other.notice_id for other in others)}) == 5
    assert (one.notice_id.version, one.notice_id.variant) == (8, "specified in RFC 4122")


def test_instants_are_spelled_in_utc() -> None:
    assert spelled(NOON) == "2026-03-01T12:00:00Z"
