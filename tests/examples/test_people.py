"""The demo's people and its report: small, repeatable, and counted rightly."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from examples.sportsclub import people, report

NOW = datetime(2026, 3, 17, 12, tzinfo=UTC)


def test_the_same_number_and_instant_make_the_same_people(tmp_path: Path) -> None:
    for name in ("one", "two"):
        people.write_csv(tmp_path / name, 500, NOW)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (tmp_path / "one").read_text("utf-8").count("\n") == 501


def test_people_differ_in_all_that_the_program_asks_and_nobody_is_of_tomorrow() -> None:
    made = [dict(zip(people.COLUMNS, row, strict=True)) for row in people.people(5_000, NOW)]
    assert len({person["member"] for person in made}) == 5_000
    assert {person["state"] for person in made} == {"current", "late", "on hold", "left"}
    assert {person["id_checked"] for person in made} == {"yes", "no"}
    joined = [person["joined"] for person in made]
    assert joined == sorted(joined)
    assert joined[0] < "2020-09"
    assert "2026-03" <= joined[-1] <= "2026-03-17T12:00:00Z"


def entries(file: Path, *rows: tuple[int, int, dict[str, object]]) -> Path:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["holder_id", "amount", "metadata", "detail"])
        for holder_id, amount, told in rows:
            writer.writerow([holder_id, amount, json.dumps(told), ""])
    return file


MARCH = {"program": "monthly", "period": "2026-03"}


def test_who_is_in_the_books_twice_is_counted(tmp_path: Path) -> None:
    file = entries(tmp_path / "e.csv", (1, 50, MARCH), (2, 50, MARCH), (1, 50, MARCH))
    given = report.count(file, "monthly", "2026-03")
    assert (given.paid, given.paid_twice, given.amounts) == (2, 1, [50, 50, 50])


def test_other_periods_programs_and_spends_are_not_counted(tmp_path: Path) -> None:
    others = [MARCH | {"period": "2026-02"}, MARCH | {"program": "weekly"}, {}]
    file = entries(tmp_path / "e.csv", *((n, 5, told) for n, told in enumerate(others)))
    assert report.count(file, "monthly", "2026-03").paid == 0


@pytest.mark.parametrize(
    ("part", "bar"),
    [
        (31, "more than 3/4 of it"),
        (24, "more than 3/4 of it"),
        (16, "more than half"),
        (15, "more than 1/4"),
        (7, "up to 1/4"),
        (1, "up to 1/4"),
    ],
)
def test_a_share_falls_into_its_quarter(tmp_path: Path, part: int, bar: str) -> None:
    told = MARCH | {"proration": {"part": part, "of": 31}}
    given = report.count(entries(tmp_path / "e.csv", (1, 5, told)), "monthly", "2026-03")
    assert {name for name, number in given.bars.items() if number} == {bar}


def test_the_longest_bar_is_whole_and_the_smallest_shows() -> None:
    longest, nought, small = report.chart({"a": 90_000, "b": 0, "cc": 1})
    assert longest.split()[-1] == small.split()[-1] * 40
    assert nought == "  b           0"
    assert [*report.chart({})] == []
