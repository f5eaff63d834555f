"""The edges of the command line: help, exit codes, errors for people and for programs."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bursar.cli.app import _COMMANDS
from bursar.cli.errors import EXIT_CODES
from tests.cli.conftest import Run, run

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"


def test_help_and_version_load_no_database_driver() -> None:
    script = (
        "import sys\nfrom bursar.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit as end: assert end.code == 0\n"
        "assert not {'psycopg', 'bursar.ledger'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"wallet" in done.stdout
    assert run("--version").out.startswith("bursar ")


def test_every_command_has_help_and_is_documented() -> None:
    text = DOCS.read_text("utf-8")
    groups = {"db": 7, "wallet": 9, "asset": 2, "run": 13, "program": 8, "alerts": 2, "outage": 2}
    single = ("migrate", "post", "journal", "sweep", "verify", "export")
    runs = ("grant", "claim", "next", "history", "tick", "worker")
    for name in (*single, *runs, *groups):
        done = run(name, "--help")
        assert done.code == 0
        assert f"bursar {name}" in text
        if name not in groups:
            assert "--json" in done.out


def test_the_exit_codes_are_documented() -> None:
    text = DOCS.read_text("utf-8")
    for family, code in EXIT_CODES.items():
        assert f"| {code} | {family}" in text


@pytest.mark.parametrize("given", [("nope",), ("wallet", "show"), ("journal", "--kind", "gift")])
def test_a_wrong_command_line_ends_with_two(given: tuple[str, ...]) -> None:
    done = run(*given)
    assert done.code == 2
    assert "Usage" in done.err
    assert done.out == ""
    assert run(*given, "--json").error["code"] == "usage"


@pytest.mark.parametrize(
    ("given", "code", "name"),
    [
        (("wallet", "show", "nobody", "coins"), 3, "holder_unknown"),
        (("wallet", "show", "nobody", "points"), 3, "asset_unknown"),
        (("wallet", "balance-at", "a", "coins", "yesterday"), 2, "option_invalid"),
        (("wallet", "statement", "a", "coins", "--since", "99999-01-01"), 2, "option_invalid"),
        (("journal", "--cursor", "x"), 2, "cursor"),
        (("journal", "--limit", "0"), 2, "page_limit"),
        (("journal", "--db", "postgresql://u:hidden@h:port/d"), 2, "database_url"),
        (("journal", "--db", "postgresql://u:hidden@127.0.0.1:1/d"), 6, "database_unavailable"),
        (("journal", "--db", "no/such/place"), 3, "ledger_missing"),
        (("db", "start"), 4, "server_not_ours"),
        (("db", "restore", "nowhere"), 2, "file_unusable"),
        (("db", "restore", __file__), 2, "backup_unreadable"),
        (("export", "csv"), 2, "option_invalid"),
    ],
)
def test_an_error_has_its_familys_exit_code_and_no_secret(
    bursar: Run, given: tuple[str, ...], code: int, name: str
) -> None:
    told = bursar(*given, "--json")
    assert (told.code, told.error["code"], told.out) == (code, name, "")
    assert "hidden" not in told.err
    plain = bursar(*given)
    if given != ("export", "csv"):
        assert plain.code == code
        assert f"({name})" in plain.err


def test_a_setting_that_is_wrong_is_named(bursar: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BURSAR_CHECKSUM_KEY", "secret")
    done = bursar("journal", "--json")
    assert (done.code, done.error["fields"]["setting"]) == (2, "BURSAR_CHECKSUM_KEY")


def test_a_full_disk_behind_standard_output_is_told(bursar: Run, spawn: Callable[..., Any]) -> None:
    with Path("/dev/full").open("wb") as full:
        child = spawn("asset", "list", stdout=full)
        _, err = child.communicate(timeout=120)
    assert child.returncode == 6
    assert b"disk_full" in err
    assert b"Traceback" not in err


def test_closed_streams_are_survived(bursar: Run) -> None:
    command = f"exec {sys.executable} -m bursar asset list >&- 2>&- <&-"
    assert subprocess.run(["sh", "-c", command], check=False, timeout=120).returncode == 0


def test_a_pipe_whose_reader_has_gone_is_quiet(bursar: Run, spawn: Callable[..., Any]) -> None:
    there, here = os.pipe()
    os.close(there)
    child = spawn("export", "csv", stdout=here)
    os.close(here)
    _, err = child.communicate(timeout=120)
    assert child.returncode == 141
    assert b"Traceback" not in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_an_error(bursar: Run, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("{}")
    file.chmod(0)
    assert bursar("post", file, "--reason", "r", "--json").error["code"] == "file_unusable"


def test_what_looks_like_markup_is_shown_as_it_is(bursar: Run) -> None:
    line = '{"op":"credit","holder":"[red]x[/]","asset":"coins","reference":":smile:","amount":1}'
    bursar("post", "--reason", "r", stdin=line)
    shown = bursar("journal").out
    assert "[red]x[/]" in shown
    assert ":smile:" in shown


def test_an_export_is_written_whole_and_checked_by_bean_check(bursar: Run, tmp_path: Path) -> None:
    line = '{"op":"credit","holder":"a","asset":"coins","reference":"1","amount":150}'
    bursar("post", "--reason", "r", stdin=line)
    file = tmp_path / "books.beancount"
    assert bursar("export", "beancount", "-o", file, "--json").json["entries"] == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    check = [Path(sys.executable).with_name("bean-check"), file]
    assert subprocess.run(check, check=False).returncode == 0
    assert bursar("export", "beancount").out == file.read_text("utf-8")
    assert bursar("export", "csv").out.count("\n") == 2
    assert bursar("export", "csv", "-o", tmp_path, "--json").error["code"] == "file_unusable"
    assert [path.name for path in tmp_path.iterdir()] == ["books.beancount"]


def test_every_command_is_in_the_page_of_commands() -> None:
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")
    assert [name for name in _COMMANDS if f"`bursar {name}" not in page] == []
