"""``bursar verify``: sound books end with 0, damage with 70 and the row that is wrong."""

from pathlib import Path

import psycopg
import pytest

from tests.cli.conftest import Run, credit, jsonl
from tests.conftest import Database


@pytest.fixture
def filled(bursar: Run) -> Run:
    bursar("post", "--reason", "r", stdin=jsonl(credit("a", "1", 5), credit("b", "1", 6)))
    return bursar


def _damage(database: Database) -> None:
    with psycopg.connect(database.owner_url) as connection:
        connection.execute("update bursar.wallets set balance = 7 where holder_id = 2")


def test_sound_books(filled: Run) -> None:
    done = filled("verify")
    assert (done.code, done.out) == (0, "2 entries in 2 wallets checked: the books are sound\n")
    answer = filled("verify", "--json").json
    assert (answer["ok"], answer["entries"], answer["wallets"]) == (True, 2, 2)


def test_damage_is_named_and_ends_it_with_70(filled: Run, database: Database) -> None:
    _damage(database)
    done = filled("verify")
    assert done.code == 70
    assert "wallet_balance" in done.out
    answer = filled("verify", "--json")
    assert (answer.code, answer.json["ok"]) == (70, False)
    assert {finding["kind"] for finding in answer.json["findings"]} >= {"wallet_balance"}


def test_a_part_is_checked_alone(filled: Run, database: Database) -> None:
    _damage(database)
    assert filled("verify", "--from-holder", 1, "--to-holder", 1).code == 0
    assert filled("verify", "--from-holder", 2, "--to-holder", 2).code == 70
    assert filled("verify", "--from-holder", 0).code == 2


def test_a_check_goes_on_where_it_was(filled: Run, tmp_path: Path) -> None:
    file = tmp_path / "checkpoint"
    assert filled("verify", "--resume", file).code == 0
    assert not file.exists()
    file.write_text('{"stage":"postings","entries":40,"wallets":3}')
    assert filled("verify", "--resume", file, "--json").json["entries"] == 40
    file.write_text("{")
    assert filled("verify", "--resume", file, "--json").error["code"] == "file_invalid"
