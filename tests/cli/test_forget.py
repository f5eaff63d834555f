"""``bursar forget``, and the checks that ``bursar verify`` leaves on record (O2)."""

import psycopg

from tests.cli.conftest import Run
from tests.conftest import Database

_CLOSED = """
    insert into bursar.operator_alerts (kind, subject, message, raised_at, last_at, resolved_at)
    select 'a', 's', 'm', t, t, t from (select now() - interval '40 days') as x (t)
"""


def test_counting_forgets_nothing_and_forgetting_does(
    bursar: Run, database: Database, monkeypatch
) -> None:
    with psycopg.connect(database.owner_url) as owner:
        owner.execute(_CLOSED)
    assert bursar("forget", "--json").json["alerts"] == 0
    monkeypatch.setenv("BURSAR_KEEP_DAYS", "31")
    for _ in range(2):
        told = bursar("forget", "--dry-run", "--json").json
        assert (told["alerts"], told["older_than_days"], told["dry_run"]) == (1, 31, True)
    done = bursar("forget", "--reason", "tidy")
    assert (done.code, done.out.splitlines()[3]) == (0, "alerts      1")
    assert bursar("forget", "--json").json["alerts"] == 0


def test_days_too_few_forget_nothing(bursar: Run, monkeypatch) -> None:
    monkeypatch.setenv("BURSAR_KEEP_DAYS", "5")
    assert bursar("forget").code == 2


def test_a_check_is_on_record(bursar: Run, database: Database) -> None:
    assert bursar("verify", "--actor", "cli:ann", "--reason", "audit").code == 0
    assert bursar("verify", "--reason", "").code == 2
    with psycopg.connect(database.owner_url) as owner:
        kept = owner.execute("select actor, reason, found from bursar.verifications").fetchall()
    assert kept == [("cli:ann", "audit", 0)]
