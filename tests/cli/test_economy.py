"""``bursar economy`` and ``bursar clock``: from a file to the version in force, and days ahead."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run, run

EXAMPLES = Path(__file__).parents[2] / "examples"

FILE = """\
[economy]
name = "club"
sandbox = true
[assets.coins]
scale = 2
[programs.monthly]
asset = "coins"
starts = 2026-01-01
schedule = { every = "month" }
amount = 5000
limits = { award = 5000 }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "economy.toml"
    path.write_text(FILE)
    return path


def apply(bursar: Run, file: Path, actor: str = "ann", *more: object) -> None:
    done = bursar("economy", "apply", file, "--reason", "r", "--actor", actor, *more)
    assert done.code == 0, done.err


def test_a_check_needs_no_database(file: Path) -> None:
    done = run("economy", "check", file)
    assert (done.code, done.out) == (0, "club: 1 asset, 1 program; the file is sound\n")
    assert run("economy", "check", file, "--json").json["programs"]["monthly"]["asset"] == "coins"
    assert run("economy", "check", "-", stdin=FILE).code == 0


@pytest.mark.parametrize("name", ["sportsclub", "tippcoin", "arena", "refresh"])
def test_the_examples_are_sound(name: str) -> None:
    assert run("economy", "check", EXAMPLES / name / "economy.toml").code == 0


def test_every_problem_is_a_line_that_an_editor_can_follow(file: Path) -> None:
    file.write_text(FILE.replace("amount", "amuont").replace("2026-01-01", '"soon"'))
    done = run("economy", "check", file)
    assert done.code == 2
    assert done.err.splitlines() == [
        f"{file}:6: programs.monthly: amount is missing",
        f"{file}:8: programs.monthly.starts: must be a date like 2026-01-31, not text",
        f"{file}:10: programs.monthly.amuont: unknown key; did you mean amount?",
        "error: the file is not sound; nothing was changed (economy_invalid)",
    ]
    error = run("economy", "check", file, "--json").error
    assert error["code"] == "economy_invalid"
    assert error["fields"]["problems"][2] == {
        "line": 10,
        "key": "programs.monthly.amuont",
        "text": "unknown key; did you mean amount?",
    }


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert run("economy", "check", tmp_path / "none").code == 2
    assert run("economy", "check", tmp_path, "--json").error["code"] == "file_unusable"
    done = run("economy", "check", "-", stdin=b"#" * 2_000_000)
    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "standard input:1: is larger than 1,000,000 bytes",
    )


def test_a_plan_is_shown_and_just_that_is_applied(bursar: Run, file: Path) -> None:
    plan = bursar("economy", "plan", file)
    assert plan.code == 0
    assert "economy club: added; its clock may be moved\n" in plan.out
    assert "program monthly: added; version 1 begins with its first period\n" in plan.out
    assert "0.00 coins" in plan.out
    key = bursar("economy", "plan", file, "--json").json["hash"]
    assert key in plan.out
    file.write_text(FILE.replace("5000", "4000"))
    apply_other = ("economy", "apply", file, "--reason", "r", "--expect", key, "--json")
    stale = bursar(*apply_other)
    assert (stale.code, stale.error["code"]) == (5, "economy_moved")
    file.write_text(FILE)
    apply(bursar, file, "ann", "--expect", key)
    changed = file.with_name("next.toml")
    changed.write_text(FILE.replace("amount = 5000", "amount = 4000"))
    assert "  amount.fixed: 5000 → 4000\n" in bursar("economy", "plan", changed).out
    assert "nothing changes" in bursar("economy", "plan", file).out


def test_the_same_file_again_is_nothing_to_do(bursar: Run, file: Path) -> None:
    apply(bursar, file)
    done = bursar("economy", "apply", file, "--reason", "r")
    assert (done.code, done.out) == (0, "nothing to do: version 1 is this file\n")
    assert bursar("economy", "show").out == FILE
    items = bursar("economy", "history", "--json").json["items"]
    assert [(v["version"], v["state"], v["actor"]) for v in items] == [(1, "applied", "ann")]


def test_a_raised_limit_waits_for_a_second_person(bursar: Run, file: Path) -> None:
    apply(bursar, file)
    file.write_text(FILE.replace("5000", "6000"))
    assert "programs.monthly.limits.award: 5000 → 6000" in bursar("economy", "plan", file).out
    apply(bursar, file)
    assert bursar("economy", "show").out == FILE
    same = bursar("economy", "approve", 2, "--reason", "seen", "--actor", "ann", "--json")
    assert (same.code, same.error["code"]) == (4, "economy_second_person")
    approved = bursar("economy", "approve", 2, "--reason", "seen", "--actor", "bob")
    assert (approved.code, approved.out) == (0, "version 2 of club is in force\n")
    assert bursar("economy", "show").out == file.read_text()
    assert bursar("economy", "refuse", 2, "--reason", "seen", "--actor", "bob").code == 5
    assert bursar("economy", "approve", 9, "--reason", "seen").code == 3
    assert "applied" in bursar("economy", "history").out


def test_a_version_is_withdrawn(bursar: Run, file: Path) -> None:
    apply(bursar, file)
    file.write_text(FILE.replace("5000", "6000"))
    apply(bursar, file)
    done = bursar("economy", "refuse", 2, "--reason", "seen", "--actor", "ann", "--json")
    assert (done.code, done.json["state"], "text" in done.json) == (0, "refused", False)


def test_before_the_first_file(bursar: Run) -> None:
    assert bursar("economy", "show").code == 3
    assert bursar("economy", "history").out == "no economy file has been applied yet\n"
    assert bursar("clock", "show").out.endswith(" UTC (no sandbox)\n")
    assert bursar("clock", "move", "+1d", "--json").error["code"] == "clock_not_sandbox"


def test_the_clock_of_a_sandbox_is_moved(bursar: Run, file: Path) -> None:
    apply(bursar, file)
    assert bursar("clock", "show", "--json").json["offset_s"] == 0
    moved = bursar("clock", "move", "+2d", "--json").json
    assert (moved["sandbox"], round(moved["offset_s"] / 86_400)) == (True, 2)
    assert "(a sandbox, 2 days 0 hours ahead" in bursar("clock", "show").out
    back = bursar("clock", "move", "2020-01-01", "--json")
    assert (back.code, back.error["code"]) == (4, "clock_backwards")


@pytest.mark.parametrize("instant", ["tomorrow", "+3y", "+", "-1d", "+9999999d", "2300-01-01"])
def test_no_instant_to_move_to(bursar: Run, file: Path, instant: str) -> None:
    apply(bursar, file)
    assert bursar("clock", "move", "--", instant).code == 2
