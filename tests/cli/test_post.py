"""``bursar post``: files are all or nothing in their form, streams go as far as they are sound."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run, credit, jsonl
from tests.conftest import OwnServer

REASON = ("--reason", "because")


def _file(tmp_path: Path, content: str | bytes) -> Path:
    file = tmp_path / "commands.jsonl"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def _balance(bursar: Run, holder: str) -> int | None:
    done = bursar("wallet", "show", holder, "coins", "--json")
    return None if done.code else done.json["balance"]


def test_each_command_is_answered_in_order_with_its_line(bursar: Run, tmp_path: Path) -> None:
    overdraft = '{"op":"debit","holder":"a","asset":"coins","reference":"2","amount":9}'
    file = _file(tmp_path, "\n" + jsonl(credit("a", "1", 5), overdraft, credit("a", "1", 5)))
    done = bursar("post", file, *REASON)
    assert done.code == 1
    assert done.lines[0] == {"line": 2, "status": "applied", "seq": 1, "balance": 5}
    assert (done.lines[1]["line"], done.lines[1]["status"]) == (3, "insufficient_funds")
    assert done.lines[1]["fields"]["available"] == 5
    assert (done.lines[2]["line"], done.lines[2]["status"]) == (4, "replayed")
    assert "1 insufficient_funds" in done.err


def test_the_same_file_again_is_all_replays_and_succeeds(bursar: Run, tmp_path: Path) -> None:
    file = _file(tmp_path, jsonl(*(credit(f"h{n}", "x", 1) for n in range(25))))
    assert bursar("post", file, *REASON, "--batch-size", 10).code == 0
    again = bursar("post", file, *REASON, "--json")
    assert again.code == 0
    assert {answer["status"] for answer in again.lines} == {"replayed"}
    assert again.error == {"last_line": 25, "statuses": {"replayed": 25}}


@pytest.mark.parametrize(
    ("line", "field", "text"),
    [
        ('{"op":"credit"', "", "is not JSON"),
        ("[]", "", "expected object"),
        ("{}", "op", "is missing"),
        ('{"op":"print"}', "op", "invalid value 'print'"),
        (credit("a", "1", 0), "amount", "must be a whole number from 1"),
        (credit("a", "1", 1).replace(": 1}", ": 1.0}"), "amount", "expected int"),
        (credit("a", "1", 1).replace(": 1}", ': "1"}'), "amount", "expected int"),
        (credit("a", "1", 2**63), "amount", "must be a whole number"),
        (credit("a", "1", 1, kind="gift"), "kind", "invalid"),
        (credit("a", "1", 1, lot={"priority": "x"}), "lot.priority", "expected int"),
        (credit("a", "1", 1, colour="red"), "colour", "is no field"),
        (credit("", "1", 1), "holder", "must be 1 to 200 printable"),
        (credit("a", "bursar:1", 1), "reference", "may not begin"),
        (credit("a", "1", 1).replace("coins", "points"), "asset", "there is no asset"),
        (b'{"op":"credit","asset":"\xff"}', "", "is not UTF-8 (byte 25)"),
        ("[" * 50_000, "", ""),
        (credit("a", "1", 1, source="x" * 70_000), "", "is longer than 65,536 bytes"),
    ],
)
def test_a_line_that_is_not_sound_is_named_and_nothing_is_posted(
    bursar: Run, tmp_path: Path, line: str | bytes, field: str, text: str
) -> None:
    raw = line if isinstance(line, bytes) else line.encode()
    good = [credit("a", str(n), 1).encode() for n in (7, 8)]
    file = _file(tmp_path, b"\n".join([good[0], raw, good[1]]))
    done = bursar("post", file, *REASON)
    assert done.code == 2
    assert done.out == ""
    told = done.err.splitlines()
    assert told[0].startswith(f"line 2: {field}: {text}" if field else f"line 2: {text}")
    assert "nothing was posted" in told[1]
    assert _balance(bursar, "a") is None
    problems = bursar("post", file, *REASON, "--json").error["fields"]["problems"]
    assert [(p["number"], p["field"]) for p in problems] == [(2, field)]


def test_at_most_twenty_problems_are_shown_and_the_rest_counted(
    bursar: Run, tmp_path: Path
) -> None:
    done = bursar("post", _file(tmp_path, "x\n" * 33), *REASON)
    assert sum(line.startswith("line ") for line in done.err.splitlines()) == 20
    assert "and 13 more" in done.err
    assert "33 problems" in done.err


@pytest.mark.parametrize("content", ["", "\n \n\r\n"])
def test_a_file_or_a_stream_without_a_command_is_an_error(
    bursar: Run, tmp_path: Path, content: str
) -> None:
    assert bursar("post", _file(tmp_path, content), *REASON, "--json").error["code"] == "file_empty"
    assert bursar("post", *REASON, "--json", stdin=content).error["code"] == "file_empty"


def test_a_file_from_windows_is_read(bursar: Run, tmp_path: Path) -> None:
    file = _file(tmp_path, b"\xef\xbb\xbf" + credit("a", "1", 5).encode() + b"\r\n")
    assert bursar("post", file, *REASON).code == 0


@pytest.mark.parametrize("name", ["nowhere.jsonl", "."])
def test_a_file_that_cannot_be_read_is_an_error(bursar: Run, tmp_path: Path, name: str) -> None:
    done = bursar("post", tmp_path / name, *REASON, "--json")
    assert (done.code, done.error["code"]) == (2, "file_unusable")


def test_check_posts_nothing(bursar: Run, tmp_path: Path) -> None:
    done = bursar("post", _file(tmp_path, credit("a", "1", 5)), *REASON, "--check")
    assert (done.code, done.out) == (0, "")
    assert _balance(bursar, "a") is None
    assert bursar("post", *REASON, "--check", stdin=credit("a", "1", 5)).code == 2


def test_a_reason_that_is_none_is_refused_before_anything(bursar: Run, tmp_path: Path) -> None:
    file = _file(tmp_path, credit("a", "1", 5))
    assert bursar("post", file, "--reason", "", "--json").error["code"] == "posting_voice"
    assert bursar("post", file).code == 2


# --- groups ---------------------------------------------------------------------------------


def _group(name: str, size: int) -> list[str]:
    return [credit(f"{name}{n}", name, 1, group=name) for n in range(size)]


def test_a_group_is_never_cut(bursar: Run, tmp_path: Path) -> None:
    """A last member that cannot be applied takes the whole group with it, whatever the batches."""
    overdraft = (
        '{"op":"debit","holder":"b0","asset":"coins","reference":"d","amount":9,"group":"b"}'
    )
    lines = [*_group("a", 3), *_group("b", 4), overdraft, credit("c", "c", 1)]
    done = bursar("post", _file(tmp_path, jsonl(*lines)), *REASON, "--batch-size", 2)
    statuses = [answer["status"] for answer in done.lines]
    assert statuses[:3] == ["applied"] * 3
    assert statuses[3:8] == ["group_refused"] * 4 + ["insufficient_funds"]
    assert statuses[8:] == ["applied"]
    assert [answer["line"] for answer in done.lines] == list(range(1, 10))


def test_a_group_that_comes_back_later_is_refused(bursar: Run, tmp_path: Path) -> None:
    lines = [*_group("a", 2), credit("x", "x", 1), *_group("a", 1)]
    done = bursar("post", _file(tmp_path, jsonl(*lines)), *REASON)
    assert done.code == 2
    assert done.err.startswith("line 4: group: 'a' began in an earlier line")


def test_a_group_larger_than_a_batch_can_be_is_refused(bursar: Run, tmp_path: Path) -> None:
    done = bursar("post", _file(tmp_path, jsonl(*_group("a", 10_002))), *REASON)
    assert done.code == 2
    assert done.err.startswith("line 10001: group: has more than 10,000 lines")


# --- streams --------------------------------------------------------------------------------


def test_a_bad_line_in_a_stream_ends_it_after_what_stands_before(bursar: Run) -> None:
    lines = jsonl(*(credit("a", str(n), 1) for n in range(5)), "nonsense", credit("a", "6", 1))
    done = bursar("post", "-", *REASON, "--batch-size", 2, "--json", stdin=lines)
    assert done.code == 2
    assert len(done.lines) == 5
    assert done.error["code"] == "line_invalid"
    assert (done.error["fields"]["line"], done.error["fields"]["last_line"]) == (6, 5)
    assert _balance(bursar, "a") == 5


def test_a_group_that_may_not_be_complete_is_not_posted(bursar: Run) -> None:
    done = bursar("post", *REASON, stdin=jsonl(credit("a", "1", 1), *_group("g", 2), "nonsense"))
    assert len(done.lines) == 1
    assert "committed up to line 1" in done.err
    assert _balance(bursar, "g0") is None


def test_a_stream_answers_batch_by_batch(bursar: Run, spawn: Callable[..., Any]) -> None:
    child = spawn("post", *REASON, "--batch-size", 1)
    for n in range(3):
        child.stdin.write(jsonl(credit("a", str(n), 1)).encode())
        child.stdin.flush()
        assert json.loads(child.stdout.readline())["status"] == "applied"


def test_an_interrupt_says_how_far_it_went(bursar: Run, spawn: Callable[..., Any]) -> None:
    child = spawn("post", *REASON, "--batch-size", 1)
    child.stdin.write(jsonl(credit("a", "1", 1)).encode())
    child.stdin.flush()
    child.stdout.readline()
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=120)
    assert child.returncode == 130
    assert b"committed up to line 1" in err
    assert b"Traceback" not in err


def test_a_reader_that_goes_away_ends_it_quietly(bursar: Run, spawn: Callable[..., Any]) -> None:
    there, here = os.pipe()
    os.close(there)
    child = spawn("post", *REASON, stdout=here)
    os.close(here)
    _, err = child.communicate(jsonl(credit("a", "1", 1)).encode(), timeout=120)
    assert child.returncode == 141
    assert b"committed up to line 1" in err
    assert b"Traceback" not in err


@pytest.mark.slow
def test_a_database_that_goes_away_leaves_something_to_send_again(
    own_server: OwnServer,
    spawn: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("BURSAR_DATABASE_URL", own_server.url)
    run = spawn("asset", "add", "coins")
    assert run.wait(timeout=60) == 0
    lines = [credit("a", str(n), 1) for n in range(6)]
    child = spawn("post", *REASON, "--batch-size", 2, "--json")
    child.stdin.write(jsonl(*lines[:3]).encode())
    child.stdin.flush()
    assert json.loads(child.stdout.readline())["line"] == 1
    own_server.crash()
    _, err = child.communicate(jsonl(*lines[3:]).encode(), timeout=90)
    assert child.returncode == 6
    told = json.loads(err)
    assert told["code"] == "database_unavailable"
    assert told["fields"]["last_line"] == 2
    own_server.restart()
    again = spawn("post", _file(tmp_path, jsonl(*lines)), *REASON)
    out, _ = again.communicate(timeout=60)
    statuses = [json.loads(line)["status"] for line in out.splitlines()]
    assert statuses == ["replayed"] * 2 + ["applied"] * 4
