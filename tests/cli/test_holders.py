"""``bursar holders``: the directory from the command line."""

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.cli.conftest import Run, credit
from tests.conftest import Database

REASON = ("--reason", "because", "--actor", "ann")


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """A file of three people, one of them bad."""
    file = tmp_path / "people.csv"
    file.write_text("customer,churn,note,coins\nada,No,=1+1,12.50\nben,Perhaps,x,1\ncy,Yes,,\n")
    return file


PLAN = (
    *("--map", "external_id=customer", "--map", "status=churn", "--map", "attributes.note=note"),
    *("--value", "status:No=active", "--value", "status:Yes=canceled"),
)


def test_import_tells_what_it_did_and_keeps_bad_rows_for_their_owner(
    bursar: Run, people: Path
) -> None:
    done = bursar("holders", "import", people, *PLAN, "--opening", "coins=coins", "--name", "l")
    assert done.code == 1
    assert "rejected          1, see" in done.out
    rejects = people.with_name("people.csv.rejects")
    assert stat.S_IMODE(rejects.stat().st_mode) == 0o600
    line, bad = rejects.read_text().splitlines()
    assert line == "line,reason,customer,churn,note,coins"
    assert bad.startswith('3,"status must be')
    assert bad.endswith("ben,Perhaps,x,1")
    assert bursar("wallet", "show", "ada", "coins", "--json").json["balance"] == 1_250
    assert bursar("holders", "show", "ada", "--json").json["attributes"] == {"note": "=1+1"}


def test_mended_rejects_are_imported_under_the_same_plan(bursar: Run, people: Path) -> None:
    bursar("holders", "import", people, *PLAN)
    rejects = people.with_name("people.csv.rejects")
    rejects.write_text(rejects.read_text().replace("Perhaps", "No"))
    done = bursar("holders", "import", rejects, *PLAN, "--json")
    assert (done.code, done.json["report"]["created"], done.json["rejects"]) == (0, 1, None)


def test_a_file_of_rejects_is_never_written_over(bursar: Run, people: Path) -> None:
    first = bursar("holders", "import", people, *PLAN, "--dry-run", "--json")
    assert (first.json["report"]["created"], first.json["report"]["dry_run"]) == (2, True)
    again = bursar("holders", "import", people, *PLAN, "--json")
    assert (again.code, again.error["code"]) == (2, "file_exists")
    other = ("--rejects", people.with_name("others"))
    assert bursar("holders", "import", people, *PLAN, *other).code == 1


def test_a_strict_import_keeps_the_rejects_and_a_broken_one_does_not(
    bursar: Run, people: Path
) -> None:
    strict = bursar("holders", "import", people, *PLAN, "--strict", "--json")
    assert (strict.code, strict.error["code"]) == (4, "import_rejected")
    rejects = people.with_name("people.csv.rejects")
    assert "Perhaps" in rejects.read_text()
    rejects.unlink()
    people.write_bytes(people.read_bytes() + b"\xff,No,,\n")
    broken = bursar("holders", "import", people, *PLAN, "--json")
    assert (broken.code, broken.error["code"]) == (2, "import_encoding")
    assert not rejects.exists()
    assert bursar("holders", "list", "--json").json["items"] == []


def test_the_plan_may_be_a_file_and_options_add_to_it(
    bursar: Run, people: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "import.toml"
    plan.write_text(
        'map = { external_id = "customer", status = "churn" }\n'
        'values.status = { No = "active", Yes = "canceled", Perhaps = "paused" }\n'
    )
    done = bursar("holders", "import", people, "--plan", plan, "--default", "tier=pro", "--json")
    assert (done.code, done.json["report"]["created"]) == (0, 3)
    assert bursar("holders", "show", "ben", "--json").json["tier"] == "pro"
    plan.write_text("map = ")
    assert bursar("holders", "import", people, "--plan", plan, "--json").error["code"] == (
        "import_plan"
    )


@pytest.mark.parametrize(
    "options",
    [
        ("--map", "external_id"),
        ("--map", "external_id=a", "--map", "external_id=b"),
        ("--map", "id=customer"),
        ("--value", "status=active"),
        ("--value", "status:No=a", "--value", "status:No=b"),
        ("--delimiter", "ab"),
        ("--delimiter", ""),
        ("--opening", "coins=coins"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(
    bursar: Run, people: Path, options: tuple[str, ...]
) -> None:
    done = bursar("holders", "import", people, "--json", *options)
    assert (done.code, done.error["code"]) == (2, "import_plan")


def test_json_lines_rejects_keep_the_line(bursar: Run, tmp_path: Path) -> None:
    file = tmp_path / "people.jsonl"
    file.write_text('{"external_id": "a"}\n{"external_id": ""}\n')
    columns = ("--map", "external_id=external_id")
    assert bursar("holders", "import", file, *columns).code == 1
    [reject] = map(json.loads, (tmp_path / "people.jsonl.rejects").read_text().splitlines())
    assert (reject["line"], reject["row"]) == (2, '{"external_id": ""}')


def test_a_holder_is_set_shown_listed_and_has_a_history(bursar: Run) -> None:
    first = bursar(
        "holders", "set", "ada", *REASON, "--status", "trialing", "--tier", "pro", "--verified",
        "--email", "a@b.org", "--attribute", "n=1", "--attribute", "s=two words",
        "--created-at", "2026-01-01", "--json",
    )  # fmt: skip
    assert (first.code, first.json["outcome"]) == (0, "created")
    assert first.json["holder"]["attributes"] == {"n": 1, "s": "two words"}
    second = bursar(
        "holders", "set", "ada", *REASON, "--status", "active", "--email", "", "--at",
        "2026-02-01", "--attribute", "n=null",
    )  # fmt: skip
    assert (second.code, second.out) == (0, "ada: changed\n")
    shown = bursar("holders", "show", "ada").out
    assert "2026-02-01 00:00:00" in shown
    assert '{"s":"two words"}' in shown
    assert "a@b.org" not in shown
    past = bursar("holders", "history", "ada").out
    assert "trialing" in past
    assert "ann" in past
    assert bursar("holders", "history", "ada", "--json").json["items"][0]["status"] == "trialing"
    assert "ada" in bursar("holders", "list", "--status", "active", "--verified").out
    assert "ada" not in bursar("holders", "list", "--tier", "free").out


@pytest.mark.parametrize(
    ("options", "code", "error"),
    [
        (("--status", "Not A Word"), 2, "holder_refused"),
        (("--created-at", "2999-01-01"), 4, "holder_refused"),
        (("--at", "yesterday"), 2, "option_invalid"),
        (("--attribute", "novalue"), 2, "option_invalid"),
        (("--email", "nobody"), 2, "holder_refused"),
        (("--created-at", ""), 2, "holder_refused"),
    ],
)
def test_what_cannot_be_set_is_refused(
    bursar: Run, options: tuple[str, ...], code: int, error: str
) -> None:
    done = bursar("holders", "set", "ada", *REASON, *options, "--json")
    assert (done.code, done.error["code"]) == (code, error)
    assert bursar("holders", "show", "ada", "--json").code == 3


def test_logins_are_noted_and_strangers_told(bursar: Run) -> None:
    bursar("holders", "set", "ada", *REASON)
    done = bursar("holders", "seen", "ada", "nobody", "--at", "2026-01-01T10:00:00Z")
    assert (done.code, done.out) == (1, "1 login noted\n")
    assert "nobody" in done.err
    assert bursar("holders", "show", "ada", "--json").json["last_login_at"].startswith("2026-01-01")


def test_erasing_asks_and_refuses_who_has_credit(bursar: Run) -> None:
    bursar("holders", "set", "ada", *REASON, "--email", "a@b.org")
    bursar("post", "--reason", "r", stdin=credit("ada", "r", 100) + "\n")
    asked = bursar("holders", "erase", "ada", *REASON, stdin="n\n")
    assert asked.code == 130
    refused = bursar("holders", "erase", "ada", *REASON, "--yes", "--json")
    assert (refused.code, refused.error["code"]) == (4, "holder_has_credit")
    done = bursar("holders", "erase", "ada", *REASON, "--yes", "--with-credit")
    assert "erased:" in done.out
    assert bursar("holders", "show", "ada").code == 3
    assert bursar("verify").code == 0


def test_names_are_made_unique_and_free(bursar: Run) -> None:
    assert bursar("holders", "unique").out.count("free") == 2
    bursar("holders", "set", "ada", *REASON, "--username", "Neo")
    bursar("holders", "set", "ben", *REASON, "--username", "neo")
    refused = bursar("holders", "unique", "--username", "--json")
    assert (refused.code, refused.error["fields"]["names"]) == (4, ["neo"])
    bursar("holders", "set", "ben", *REASON, "--username", "")
    assert bursar("holders", "unique", "--username", "--json").json["username"] is True
    taken = bursar("holders", "set", "ben", *REASON, "--username", "NEO", "--json")
    assert (taken.code, taken.error["fields"]["why"]) == (4, "username_taken")


def test_a_terminal_sees_rows_rate_and_time_left(
    bursar: Run, spawn: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    file = tmp_path / "people.csv"
    file.write_text("external_id\n" + "".join(f"h{i}\n" for i in range(25_000)))
    ours, theirs = os.openpty()
    seen = b""
    try:
        child = spawn("holders", "import", file, stderr=theirs)
        os.close(theirs)
        while block := _read(ours):
            seen += block
        assert child.wait() == 0
    finally:
        os.close(ours)
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode())
    assert "importing" in shown
    assert re.search(r"[12]0 000 rows, [0-9 ]+/s", shown)
    assert re.search(r"25 000 rows, [0-9 ]+/s 0:00:00", shown)


def _read(terminal: int) -> bytes:
    """Read what a terminal was told; nothing when the last writer has gone."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


@pytest.mark.slow
def test_an_import_that_is_killed_leaves_nothing_and_can_be_run_again(
    bursar: Run, spawn: Any, tmp_path: Path, database: Database
) -> None:
    file = tmp_path / "people.csv"
    file.write_text("external_id,coins\n" + "".join(f"h{i},1\n" for i in range(60_000)))
    command = ("holders", "import", file, "--map", "external_id=external_id")
    openings = ("--opening", "coins=coins", "--name", "launch")
    at_work = (
        "select count(*) from pg_stat_activity"
        " where datname = current_database() and backend_xid is not null"
    )
    left = (
        "select (select count(*) from bursar.holders), (select count(*) from bursar.holder_ids),"
        " (select count(*) from bursar.entries)"
    )
    with psycopg.connect(database.owner_url, autocommit=True) as owner:
        child = spawn(*command, *openings)
        while owner.execute(at_work).fetchone() == (0,):
            assert child.poll() is None, child.communicate()
            owner.execute("select pg_sleep(0.01)")
        child.kill()
        child.wait()
        while owner.execute(at_work).fetchone() != (0,):
            owner.execute("select pg_sleep(0.01)")
        assert owner.execute(left).fetchone() == (0, 0, 0)
        done = bursar(*command, *openings, "--json")
        assert (done.json["report"]["created"], done.json["report"]["openings"]) == (60_000, 60_000)
        assert owner.execute(left).fetchone() == (60_000, 60_000, 60_000)
    assert bursar("verify").code == 0
