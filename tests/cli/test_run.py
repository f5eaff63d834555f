"""``bursar run``: preview, start, approve, steer, retry, revert; and what is refused (P6–P10)."""

import csv
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from bursar.programs.model import Amount, Limits, Once, Rolling
from tests.cli.shop import THIS_MONTH, Shop, monthly
from tests.conftest import Database

GO = ("--reason", "november")


# --- preview --------------------------------------------------------------------------------


def test_a_preview_tells_who_how_much_and_why_and_writes_nothing(shop: Shop) -> None:
    shop.enrol("dot", tier="pro")
    shop.enrol("eve", status="paused")
    active = {"not_active": 'holder.status == "active"'}
    amount = Amount(by_tier={"pro": 20_000}, otherwise=5_000)
    shop.put(monthly(who=active, amount=amount))
    told = shop("run", "preview", "monthly")
    assert told.code == 0
    assert f"monthly {THIS_MONTH}" in told.out
    assert "350.00 coins, 4 holders" in told.out
    assert "left out     1 not_active" in told.out
    assert "tier pro" in told.out
    answer = shop("run", "preview", "monthly", "--json").json
    assert (answer["estimate"]["awards"], answer["estimate"]["amount"]) == (4, 35_000)
    assert {one["holder"]: one["amount"] for one in answer["awards"]}["dot"] == 20_000
    assert shop("run", "list", "--json").json["items"] == []
    assert shop("journal", "--json").json["items"] == []


def test_a_preview_shows_as_many_as_asked_and_says_that_there_are_more(shop: Shop) -> None:
    shop.put(monthly())
    told = shop("run", "preview", "monthly", "--limit", 1)
    assert "and 2 more; -o FILE.csv lists all" in told.out
    assert len(shop("run", "preview", "monthly", "--limit", 0, "--json").json["awards"]) == 0
    assert shop("run", "preview", "monthly", "--limit", -1).code == 2


def test_a_previews_file_has_everybody_in_the_assets_units(shop: Shop, tmp_path: Path) -> None:
    shop.enrol("=1+1", tier="pro")
    shop.enrol("eve", status="paused")
    amount = Amount(by_tier={"pro": 2_000_000}, otherwise=500_050)
    active = {"not_active": 'holder.status == "active"'}
    shop.put(monthly(who=active, amount=amount, limits=Limits(award=1_000_000)))
    file = tmp_path / "preview.csv"
    assert shop("run", "preview", "monthly", "-o", file).code == 0
    with file.open(newline="") as lines:
        rows = {row["holder"]: row for row in csv.DictReader(lines)}
    assert rows["ada"]["amount"] == "5000.50"
    assert (rows["eve"]["outcome"], rows["eve"]["why"]) == ("excluded", "not_active")
    assert rows["=1+1"]["outcome"] == "failed"
    assert "award_above_limit" in rows["=1+1"]["why"]
    assert len(rows) == 5
    assert shop("run", "preview", "monthly", "-o", tmp_path).code == 2


def test_a_preview_of_some_is_of_them_alone(shop: Shop) -> None:
    shop.put(monthly())
    only = ("--holder", "bob", "--holder", "cyd", "--json")
    answer = shop("run", "preview", "monthly", *only).json
    assert [one["holder"] for one in answer["awards"]] == ["bob", "cyd"]
    assert answer["estimate"]["holders"] == 2


def test_who_has_been_paid_is_left_out_of_a_preview(shop: Shop) -> None:
    shop.put(monthly())
    shop("run", "start", "monthly", *GO)
    assert shop("run", "preview", "monthly", "--json").json["estimate"]["excluded"] == {
        "already_paid": 3
    }


# --- start ----------------------------------------------------------------------------------


def test_a_run_is_done_and_reported_at_once(shop: Shop) -> None:
    shop.put(monthly())
    told = shop("run", "start", "monthly", *GO)
    assert told.code == 0
    assert told.out.startswith(f"run_1: monthly {THIS_MONTH}, finished in ")
    assert "150.00 coins, 3 holders" in told.out
    assert [shop.balance(name) for name in ("ada", "bob", "cyd")] == [5_000] * 3


def test_a_program_that_knows_no_holder_has_a_run_of_nothing(shop: Shop) -> None:
    shop.put(monthly(who={"never": "false"}))
    answer = shop("run", "start", "monthly", *GO, "--json").json
    assert (answer["state"], answer["progress"]["excluded"]) == ("finished", {"never": 3})


def test_a_period_is_run_once_and_the_refusal_names_its_run(shop: Shop) -> None:
    shop.put(monthly())
    shop("run", "start", "monthly", *GO)
    again = shop("run", "start", "monthly", *GO, "--json")
    assert (again.code, again.error["code"]) == (5, "period_run")
    assert again.error["fields"]["run"] == "run_1"
    assert shop.balance("ada") == 5_000


def test_a_dry_run_decides_everything_and_gives_nothing(shop: Shop) -> None:
    shop.put(monthly())
    told = shop("run", "start", "monthly", "--dry-run", *GO)
    assert "dry run: nothing was given" in told.out
    assert "would award" in told.out
    assert shop.balance("ada") == 0
    assert shop("run", "start", "monthly", *GO).code == 0
    assert shop.balance("ada") == 5_000


def test_a_run_left_to_the_workers_is_done_by_work(shop: Shop) -> None:
    shop.put(monthly())
    told = shop("run", "start", "monthly", "--no-work", *GO)
    assert (told.code, "bursar run work run_1" in told.out) == (0, True)
    assert shop.balance("ada") == 0
    assert shop("run", "work", "1", "--json").json["state"] == "finished"
    assert shop.balance("ada") == 5_000
    assert shop("run", "work").out == "nothing is due\n"


def test_work_without_a_run_does_all_that_are_under_way(shop: Shop) -> None:
    shop.put(monthly(), monthly("weekly_too"))
    for name in ("monthly", "weekly_too"):
        shop("run", "start", name, "--no-work", *GO)
    told = shop("run", "work").out.splitlines()
    assert [line.split(":")[0] for line in told] == ["run_1", "run_2"]
    assert all("finished; awarded 150.00 coins, 3 holders" in line for line in told)


@pytest.mark.parametrize(
    ("given", "code", "name"),
    [
        (("run", "preview", "nope"), 3, "program_unknown"),
        (("run", "preview", "monthly", "--period", "1999-01"), 3, "period_unknown"),
        (("run", "preview", "monthly", "--holder", "nobody"), 3, "holder_unknown"),
        (("run", "start", "nope", *GO), 3, "program_unknown"),
        (("run", "start", "monthly", "--period", "1999-01", *GO), 3, "period_unknown"),
        (("run", "start", "welcome", *GO), 4, "run_not_by_period"),
        (("run", "start", "monthly"), 2, "usage"),
        (("run", "status", "run_99"), 3, "run_unknown"),
        (("run", "status", "run-1"), 2, "option_invalid"),
        (("run", "status", "1٣"), 2, "option_invalid"),
        (("run", "status", "9" * 30), 2, "option_invalid"),
        (("run", "list", "nope"), 3, "program_unknown"),
        (("run", "list", "--limit", "0"), 2, "page_limit"),
        (("run", "failures", "99"), 3, "run_unknown"),
        (("run", "excluded", "99"), 3, "run_unknown"),
        (("run", "retry", "99", "--reason", "r"), 3, "run_unknown"),
        (("run", "work", "99"), 3, "run_unknown"),
        (("run", "pause", "99", "--reason", "r"), 3, "run_unknown"),
        (("run", "approve", "99", "--total", "1", "--reason", "r"), 3, "run_unknown"),
        (("run", "revert", "99", "--policy", "clip", "--yes", *GO), 3, "run_unknown"),
        (("run", "revert", "99", "--policy", "gift", "--yes", *GO), 2, "revert_policy"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    shop: Shop, given: tuple[str, ...], code: int, name: str
) -> None:
    shop.put(monthly(), monthly("welcome", schedule=Once()))
    told = shop(*given, "--json")
    assert (told.code, told.error["code"], told.out) == (code, name, "")


def test_a_program_that_is_off_starts_nothing(shop: Shop) -> None:
    shop.put(monthly())
    shop("program", "off", "monthly", "--reason", "leak")
    assert shop("run", "start", "monthly", *GO, "--json").error["code"] == "program_off"


# --- failures -------------------------------------------------------------------------------


def test_who_fails_is_set_aside_and_tried_again(shop: Shop) -> None:
    shop("grant", "--asset", "coins", "--amount", "1", "--holder", "bob", *GO)
    shop.put(monthly())
    debit = '{"op":"debit","holder":"bob","asset":"coins","reference":"d","amount":100}'
    shop("post", "--reason", "r", stdin=debit)
    assert shop("wallet", "close", "bob", "coins", "--reason", "r").code == 0
    told = shop("run", "start", "monthly", *GO)
    assert (told.code, "bursar run failures run_2" in told.out) == (1, True)
    assert "100.00 coins, 2 holders" in told.out
    listed = shop("run", "failures", "2", "--json").json["items"]
    assert [(one["holder"], one["code"]) for one in listed] == [("bob", "wallet_closed")]
    assert "wallet_closed" in shop("run", "failures", "2").out
    assert shop("run", "retry", "2", *GO).code == 1
    shop("wallet", "reopen", "bob", "coins", "--reason", "r")
    again = shop("run", "retry", "2", *GO)
    assert (again.code, "1 holder to try again" in again.out) == (0, True)
    assert shop.balance("bob") == 5_000
    assert shop("run", "failures", "2").out == "nobody is set aside\n"
    assert "succeeded since" in shop("run", "failures", "2", "--all").out


def test_who_is_left_out_is_on_record_if_the_program_keeps_the_reason(shop: Shop) -> None:
    who = {"not_pro": 'holder.tier == "pro"'}
    shop.put(monthly(who=who, keep_reasons=("not_pro",)), monthly("other", who=who))
    shop("run", "start", "monthly", *GO)
    shop("run", "start", "other", *GO)
    kept = shop("run", "excluded", "1", "--limit", 2, "--json").json
    assert [(one["holder"], one["reason"]) for one in kept["items"]] == [
        ("ada", "not_pro"),
        ("bob", "not_pro"),
    ]
    assert "cyd" in shop("run", "excluded", "1", "--after", kept["after"]).out
    assert shop("run", "excluded", "2", "--json").json["items"] == []


def test_who_is_left_out_of_a_cycle_of_their_own_is_told_with_its_period(shop: Shop) -> None:
    who = {"not_pro": 'holder.tier == "pro"'}
    cycle = Rolling(days=30, anchor="subscription_start", at_once=True)
    shop.put(
        monthly(who=who, keep_reasons=("not_pro",)),
        monthly("cycle", schedule=cycle, starts=None, who=who, keep_reasons=("not_pro",)),
    )
    shop.enrol("dot", subscription_start=datetime.now(UTC))
    assert shop("tick").code == 0
    runs = shop("run", "list", "--json").json["items"]
    number = {run["program"]: run["run"].removeprefix("run_") for run in runs}
    [kept] = shop("run", "excluded", number["cycle"], "--json").json["items"]
    assert kept["holder"] == "dot"
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", kept["period_key"])
    told = shop("run", "excluded", number["cycle"]).out.splitlines()
    assert [line.split() for line in told] == [
        ["holder", "period", "why"],
        ["dot", kept["period_key"], "not_pro"],
    ]
    told = shop("run", "excluded", number["monthly"]).out.splitlines()
    assert [line.split() for line in told[:2]] == [["holder", "why"], ["ada", "not_pro"]]


# --- approval and ceilings ------------------------------------------------------------------


def test_a_run_above_the_limit_waits_and_says_exactly_what_to_type(shop: Shop) -> None:
    shop.put(monthly(limits=Limits(approve_above=10_000)))
    told = shop("run", "start", "monthly", *GO, "--actor", "ann")
    assert (told.code, shop.balance("ada")) == (0, 0)
    assert "150.00 coins to 3 holders" in told.out
    [line] = [line for line in told.out.splitlines() if line.startswith("  bursar ")]
    assert line == "  bursar run approve run_1 --total 150.00 --reason …"
    given = line.split()[1:]
    wrong = shop("run", "approve", "1", "--total", "15000", *GO, "--actor", "bob")
    assert (wrong.code, "run_1 comes to 150.00 coins, not 15000" in wrong.err) == (5, True)
    for same in ("ann", "author"):
        refused = shop(*given, "--actor", same, "--json")
        assert (refused.code, refused.error["code"]) == (4, "approval_second_person")
    assert shop(*given, "--actor", "bob").code == 0
    assert shop.balance("ada") == 5_000
    assert "bob" in shop("run", "status", "1").out
    assert shop(*given, "--actor", "bob", "--json").error["code"] == "run_state"


def test_a_run_above_its_ceiling_halts_and_the_operators_are_told(shop: Shop) -> None:
    shop.put(monthly(limits=Limits(run=10_000)))
    told = shop("run", "start", "monthly", *GO)
    assert (told.code, "run_ceiling" in told.out) == (1, True)
    assert "its ceiling is 100.00 coins; it would award 150.00 coins to 3 holders" in told.out
    assert shop.balance("ada") == 0
    [alert] = shop("alerts", "--json").json["items"]
    assert (alert["kind"], alert["subject"]) == ("run_ceiling", "run_1")
    assert "run_ceiling" in shop("alerts", "list").out
    assert shop("alerts", "resolve", alert["alert_id"]).code == 0
    assert shop("alerts").out == "nothing to tell\n"
    assert "closed by" in shop("alerts", "--all").out
    twice = shop("alerts", "resolve", alert["alert_id"], "--json")
    assert (twice.code, twice.error["code"]) == (3, "alert_unknown")


# --- steering -------------------------------------------------------------------------------


def test_a_run_is_paused_and_resumed(shop: Shop) -> None:
    shop.put(monthly())
    shop("run", "start", "monthly", "--no-work", *GO)
    assert "bursar run resume run_1" in shop("run", "pause", "1", *GO, "--actor", "ann").out
    assert "paused by ann" in shop("run", "status", "1").out
    assert shop("run", "work", "1").code == 1
    assert shop.balance("ada") == 0
    assert shop("run", "pause", "1", *GO, "--json").error["code"] == "run_state"
    assert shop("run", "resume", "1", *GO, "--json").json["state"] == "finished"
    assert shop.balance("ada") == 5_000


def test_a_canceled_run_stays_so(shop: Shop) -> None:
    shop.put(monthly())
    shop("run", "start", "monthly", "--no-work", *GO)
    assert shop("run", "cancel", "1", *GO, "--json").json["state"] == "canceled"
    assert shop("run", "resume", "1", *GO, "--json").error["code"] == "run_state"
    assert shop("run", "work", "1").code == 1


def test_a_run_is_reverted_once_and_its_period_may_be_run_again(shop: Shop) -> None:
    shop.put(monthly())
    shop("run", "start", "monthly", *GO)
    revert = ("run", "revert", "1", "--policy", "clip", "--reason", "wrong amount")
    asked = shop(*revert)
    assert (asked.code, "Take back 150.00 coins from 3 holders" in asked.err) == (2, True)
    assert shop.balance("ada") == 5_000
    told = shop(*revert, "--yes")
    assert (told.code, "taken back" in told.out) == (0, True)
    assert shop.balance("ada") == 0
    assert shop("run", "status", "1", "--json").json["state"] == "reverted"
    assert "reversal of run_1, finished" in told.out
    again = shop(*revert, "--yes", "--json")
    assert (again.code, again.error["code"]) == (4, "run_state")
    of_it = shop("run", "revert", "2", "--policy", "clip", "--reason", "r", "--yes", "--json")
    assert of_it.error["code"] == "run_not_revertible"
    assert shop("run", "start", "monthly", *GO).code == 0
    assert shop.balance("ada") == 5_000
    assert shop("verify").code == 0


def test_on_a_terminal_a_revert_asks(shop: Shop, spawn) -> None:
    shop.put(monthly())
    shop("run", "start", "monthly", *GO)
    given = ("run", "revert", "1", "--policy", "clip", "--reason", "r")
    for answer, code, balance in ((b"n\n", 130, 5_000), (b"y\n", 0, 0)):
        here, there = os.openpty()
        child = spawn(*given, stdin=there)
        os.close(there)
        os.write(here, answer)
        _, err = child.communicate(timeout=60)
        os.close(here)
        assert (child.returncode, b"Take back 150.00 coins" in err) == (code, True)
        assert shop.balance("ada") == balance


@pytest.fixture
def held(shop: Shop, database: Database) -> Iterator[Callable[[], None]]:
    """A run whose only part is in other hands, until the fixture is called."""
    shop.put(monthly())
    shop("run", "start", "monthly", "--no-work", *GO)
    with psycopg.connect(database.owner_url) as conn:
        conn.execute("select 1 from bursar.run_chunks for update")
        yield conn.rollback


def wait_for_a_claim(database: Database, child: "subprocess.Popen[bytes]") -> None:
    """Wait until somebody looks for a part to do again and again, and finds none."""
    query = """
        select query_start from pg_stat_activity
         where datname = %s and application_name = 'bursar'
    """
    asked: set[object] = set()
    with psycopg.connect(database.owner_url, autocommit=True) as conn:
        while child.poll() is None and len(asked) < 40:
            asked.update(conn.execute(query, [database.name]).fetchall())
            time.sleep(0.005)


def test_a_part_in_other_hands_is_waited_for(
    held: Callable[[], None], shop: Shop, database: Database, spawn
) -> None:
    child = spawn("run", "work", "1", "--json")
    wait_for_a_claim(database, child)
    assert child.poll() is None
    held()
    out, _ = child.communicate(timeout=60)
    assert (child.returncode, json.loads(out)["state"]) == (0, "finished")
    assert shop.balance("ada") == 5_000


def test_an_interrupted_run_says_how_it_goes_on(
    held: Callable[[], None], shop: Shop, database: Database, spawn
) -> None:
    child = spawn("run", "work", "1")
    wait_for_a_claim(database, child)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert (child.returncode, b"bursar run work run_1" in err) == (130, True)
    assert b"Traceback" not in err
    held()
    assert shop("run", "work", "1").code == 0


def test_on_a_terminal_a_bar_is_shown(shop: Shop, spawn) -> None:
    shop.put(monthly())
    here, there = os.openpty()
    child = spawn("run", "start", "monthly", *GO, stderr=there)
    os.close(there)
    shown = bytearray()
    with suppress(OSError):  # Linux: the other end has been closed
        while part := os.read(here, 65_536):
            shown += part
    os.close(here)
    assert (child.wait(60), b"run_1" in shown, b"Traceback" in shown) == (0, True, False)


# --- looking --------------------------------------------------------------------------------


def test_runs_are_listed_by_program_and_page(shop: Shop) -> None:
    shop.put(monthly(), monthly("other"))
    for name in ("monthly", "other"):
        shop("run", "start", name, *GO)
    shop("grant", "--asset", "coins", "--amount", "1", "--all", *GO)
    first = shop("run", "list", "--limit", 2, "--json").json
    assert [run["run"] for run in first["items"]] == ["run_3", "run_2"]
    rest = shop("run", "list", "--limit", 2, "--before", first["before"], "--json").json
    assert [run["run"] for run in rest["items"]] == ["run_1"]
    assert rest["before"] is None
    only = shop("run", "list", "other", "--json").json["items"]
    assert [run["program"] for run in only] == ["other"]
    told = shop("run", "list")
    assert "50.00" in told.out
    assert "--before" in shop("run", "list", "--limit", 2).out


def test_a_status_tells_everything_that_applies(shop: Shop) -> None:
    shop.put(monthly())
    shop("run", "start", "monthly", *GO, "--actor", "ann")
    told = shop("run", "status", "run_1").out
    for words in ("monthly, version 1", "by ann: november", "150.00 coins, 3 holders", "finished"):
        assert words in told
    answer = shop("run", "status", "1", "--json").json
    assert (answer["run"], answer["progress"]["amount"]) == ("run_1", 15_000)
