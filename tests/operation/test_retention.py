"""What may be forgotten, and what the database never lets go (O2)."""

import psycopg
import pytest

from bursar.ledger import Ledger
from bursar.operation import Forgotten, Operation
from bursar.platform.errors import Invalid
from bursar.trail import Trail, Wanted
from tests.conftest import Database

_OLD = "now() - interval '500 days'"


def _fill(owner: psycopg.Connection) -> None:
    """Something of each kind that is old, young, and old but still of use."""
    for state, finished in (("finished", _OLD), ("finished", "now()"), ("running", "null")):
        owner.execute(
            "insert into bursar.runs (kind, state, asset, period, period_key, generation, as_of,"
            " dry_run, holders, started_at, started_by, reason, finished_at)"
            f" values ('grant', '{state}', 'coins', '{{}}', '', 0, {_OLD}, false, 1, {_OLD}, 'a',"
            f" 'r', {finished})"
        )
    owner.execute(
        "insert into bursar.run_exclusions select r, h, 'x' from generate_series(1, 3) r,"
        " generate_series(1, 5) h"
    )
    owner.execute(
        "insert into bursar.run_failures (run_id, holder_id, attempts, failed_at, resolved_at,"
        f" code, message) values (1, 1, 1, {_OLD}, {_OLD}, 'c', 'm'),"
        f" (1, 2, 1, {_OLD}, null, 'c', 'm'), (1, 3, 1, {_OLD}, now(), 'c', 'm')"
    )
    owner.execute(
        "insert into bursar.operator_alerts (kind, subject, message, raised_at, last_at,"
        f" resolved_at) values ('a', '1', 'm', {_OLD}, {_OLD}, {_OLD}),"
        f" ('a', '2', 'm', {_OLD}, {_OLD}, null), ('a', '3', 'm', {_OLD}, {_OLD}, now())"
    )
    owner.execute(
        "insert into bursar.verifications (began_at, seen_at, ended_at, part, actor, reason)"
        f" select {_OLD}, {_OLD}, {_OLD}, n = 3, 'a', 'r' from generate_series(1, 3) n"
    )


_COUNTS = Forgotten(failures=1, exclusions=5, alerts=1, verifications=2)


async def test_only_what_is_old_and_of_no_more_use_goes(
    operation: Operation, owner: psycopg.Connection
) -> None:
    _fill(owner)
    assert await operation.forgettable() == _COUNTS
    assert await operation.forget(actor="cli:ann", reason="quarter") == _COUNTS
    assert await operation.forgettable() == Forgotten()
    assert await operation.forget() == Forgotten()
    left = {
        "run_failures": "select array_agg(holder_id::int order by 1) from bursar.run_failures",
        "exclusions": "select array_agg(distinct run_id::int) from bursar.run_exclusions",
        "alerts": "select array_agg(subject::int order by 1) from bursar.operator_alerts",
        "checks": "select array_agg(verification_id::int) from bursar.verifications",
    }
    found = {name: owner.execute(query).fetchone()[0] for name, query in left.items()}
    assert found == {"run_failures": [2, 3], "exclusions": [2, 3], "alerts": [2, 3], "checks": [2]}


async def test_what_is_forgotten_is_on_record(
    operation: Operation, ledger: Ledger, owner: psycopg.Connection
) -> None:
    _fill(owner)
    await operation.forget(actor="cli:ann", reason="quarter")
    acts = (await Trail(ledger.database).acts(Wanted(act="retention.*"))).items
    assert {(a.act, a.actor, a.subject) for a in acts} == {
        ("retention.forget", "cli:ann", kind)
        for kind in ("failures", "exclusions", "alerts", "verifications")
    }
    [exclusions] = [a for a in acts if a.subject == "exclusions"]
    assert exclusions.after == {"rows": 5, "older_than_days": 400}


async def test_batches_take_all_of_it(
    operation: Operation,
    ledger: Ledger,
    owner: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _fill(owner)
    monkeypatch.setattr("bursar.operation.service._BATCH", 2)
    assert await operation.forget() == _COUNTS
    acts = (await Trail(ledger.database).acts()).items
    rows = [a.after["rows"] for a in acts if a.after and a.subject == "exclusions"]
    assert sorted(rows) == [1, 2, 2]


async def test_forgetting_without_a_reason_takes_nothing(
    operation: Operation, owner: psycopg.Connection
) -> None:
    _fill(owner)
    with pytest.raises(Invalid):
        await operation.forget(actor="cli:ann", reason="")
    assert await operation.forgettable() == _COUNTS


def test_less_than_a_month_is_refused(ledger: Ledger) -> None:
    with pytest.raises(Invalid) as refused:
        Operation(ledger, keep_days=30)
    assert refused.value.code == "keep_days"


@pytest.mark.parametrize(
    "table", ["entries", "postings", "posting_kinds", "acts", "holder_history", "runs", "wallets"]
)
def test_the_service_may_not_remove_the_past(database: Database, table: str) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("set role bursar_service")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"delete from bursar.{table}")
