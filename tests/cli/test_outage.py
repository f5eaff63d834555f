"""``bursar outage``: declared once, on record, and what is no window (P23)."""

import pytest

from tests.cli.conftest import Run, credit

DAY = ("2026-03-01", "2026-03-02T12:00:00Z")
WHY = ("--reason", "the app was down")


def test_an_outage_is_declared_and_listed(bursar: Run) -> None:
    assert bursar("outage", "list").out == "none was declared\n"
    told = bursar("outage", "declare", *DAY, *WHY, "--actor", "ann")
    assert (told.code, told.out.splitlines()[0]) == (
        0,
        "outage 1: 2026-03-01 00:00:00 to 2026-03-02 12:00:00 UTC is on record",
    )
    assert "the app was down" in bursar("outage", "list").out
    [one] = bursar("outage", "list", "--json").json["items"]
    assert (one["actor"], one["ends_at"]) == ("ann", "2026-03-02T12:00:00Z")


def test_the_same_outage_again_is_the_same(bursar: Run) -> None:
    first = bursar("outage", "declare", *DAY, *WHY, "--json").json
    assert bursar("outage", "declare", *DAY, *WHY, "--json").json == first
    assert len(bursar("outage", "list", "--json").json["items"]) == 1


def test_a_lot_that_would_end_within_it_lasts_longer(bursar: Run) -> None:
    lot = {"expires_at": "2126-03-02T00:00:00Z"}
    bursar("post", "--reason", "r", stdin=credit("ada", "w", 100, lot=lot))
    told = bursar("outage", "declare", "2126-03-01", "2126-03-03", *WHY)
    assert "1 lot or hold lasts longer, 0 expired lots given back" in told.out
    [kept] = bursar("wallet", "show", "ada", "coins", "--json").json["lots"]
    assert kept["expires_at"] == "2126-03-05T00:00:00Z"


@pytest.mark.parametrize(
    ("given", "code", "name"),
    [
        (("declare", "2026-03-02", "2026-03-01", *WHY), 2, "outage_window"),
        (("declare", "2026-03-01", "2026-03-01", *WHY), 2, "outage_window"),
        (("declare", "2026-03-01", "2026-05-01", *WHY), 2, "outage_window"),
        (("declare", "yesterday", "2026-03-01", *WHY), 2, "option_invalid"),
        (("declare", *DAY), 2, "usage"),
    ],
)
def test_what_is_no_window_is_refused(
    bursar: Run, given: tuple[str, ...], code: int, name: str
) -> None:
    told = bursar("outage", *given, "--json")
    assert (told.code, told.error["code"]) == (code, name)
    assert bursar("outage", "list", "--json").json["items"] == []
