"""The figures and their metrics, against what was done (O2)."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bursar.api.telemetry import Telemetry
from bursar.holders.model import HolderChange
from bursar.ledger import Debit, Ledger, PlaceHold
from bursar.operation import Operation, store_figures
from bursar.operation.figures import Figures
from bursar.operation.metrics import MEASURES, render
from bursar.programs.model import Amount, Calendar, Override, Program
from bursar.programs.service import Programs

PAGE = (Path(__file__).parents[2] / "docs/metrics.md").read_text("utf-8")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def _samples(figures: Figures) -> dict[tuple[str, ...], float]:
    labels = {measure.name: measure.labels for measure in MEASURES}
    return {
        (sample.name, *(sample.labels[name] for name in labels[sample.name])): sample.value
        for family in text_string_to_metric_families(render(figures).decode())
        for sample in family.samples
    }


async def _pay(ledger: Ledger) -> Programs:
    """A month paid to two holders of three: one is paused."""
    programs = Programs(ledger)
    people = [
        HolderChange(external_id=name, created_at=LONG_AGO, at=LONG_AGO)
        for name in ("ada", "bob", "cyd")
    ]
    await programs.holders.upsert(people, actor="test", reason="test")
    first = datetime.now(UTC).date().replace(day=1)
    monthly = Program(
        name="monthly",
        asset="coins",
        schedule=Calendar(every="month"),
        amount=Amount(fixed=50),
        starts=first,
    )
    async with ledger.database.transaction() as connection:
        await programs.put(connection, monthly, actor="author", reason="test")
    await programs.set_override(
        "monthly", "cyd", Override(paused=True), actor="test", reason="asked"
    )
    await programs.do_all_due()
    return programs


def test_every_metric_is_documented_as_it_is() -> None:
    told = re.findall(r"^\| `(bursar_\w+)` \| (\w+) \| ([\w, ]*) \| (.+) \|$", PAGE, re.MULTILINE)
    made = [(m.name, m.kind, ", ".join(m.labels), m.help) for m in MEASURES]
    assert [tuple(part.strip() for part in row) for row in told] == made


def test_queries_and_rules_name_only_metrics_that_there_are() -> None:
    named = set(re.findall(r"\bbursar_\w+", PAGE))
    requests = Telemetry()
    requests.count("GET", "/health/live", 200, 0.001)
    counted = re.findall(r"^# HELP (\w+)", requests.render().decode(), re.MULTILINE)
    assert named == {measure.name for measure in MEASURES} | set(counted)


async def test_an_empty_ledger_has_figures(operation: Operation) -> None:
    samples = _samples(await operation.figures())
    assert samples["bursar_queue_chunks",] == 0
    assert samples["bursar_verify_running",] == 0
    assert ("bursar_verify_sound",) not in samples


async def test_what_moved_is_counted_in_all_and_today(operation: Operation, ledger: Ledger) -> None:
    spend = Debit(holder="ada", asset="coins", amount=30, reference="order")
    await ledger.submit(spend, actor="test", reason="test")
    samples = _samples(await operation.figures())
    assert samples["bursar_credits_given_minor_units_total", "coins", "issuance", "grant"] == 200
    assert samples["bursar_credits_taken_minor_units_total", "coins", "revenue", "spend"] == 30
    assert samples["bursar_credits_net_minor_units", "coins", "revenue", "spend"] == -30
    assert samples["bursar_credits_today_minor_units", "coins", "revenue", "spend"] == -30
    assert samples["bursar_entries_total", "coins", "issuance", "grant"] == 2
    assert samples["bursar_entries_today", "coins", "issuance", "grant"] == 2


async def test_days_that_are_settled_are_added_up_once_and_stay_in_the_totals(
    operation: Operation, ledger: Ledger, owner: psycopg.Connection
) -> None:
    owner.execute("update bursar.house_totals set day = day - 5")
    key = ("bursar_credits_given_minor_units_total", "coins", "issuance", "grant")
    for _ in range(2):
        samples = _samples(await operation.figures())
        assert samples[key] == 200
        assert samples["bursar_entries_today", "coins", "issuance", "grant"] == 0
    spend = Debit(holder="ada", asset="coins", amount=30, reference="order")
    await ledger.submit(spend, actor="test", reason="test")
    owner.execute("update bursar.house_totals set day = day - 1 where kind = 'spend'")
    samples = _samples(await operation.figures())
    assert samples["bursar_credits_taken_minor_units_total", "coins", "revenue", "spend"] == 30


async def test_runs_and_awards_are_told_by_program(operation: Operation, ledger: Ledger) -> None:
    await _pay(ledger)
    samples = _samples(await operation.figures())
    assert samples["bursar_runs_today", "monthly", "scheduled", "finished"] == 1
    assert samples["bursar_awards_today", "monthly", "coins"] == 2
    assert samples["bursar_awards_today_minor_units", "monthly", "coins"] == 100
    assert samples["bursar_awards_failed_today", "monthly", "coins"] == 0
    assert samples["bursar_holders_paused", "monthly"] == 1
    assert samples["bursar_program_on", "monthly"] == 1
    assert samples["bursar_run_duration_seconds", "monthly"] >= 0


async def test_what_waits_is_counted(
    operation: Operation, ledger: Ledger, owner: psycopg.Connection
) -> None:
    hold = PlaceHold(holder="ada", asset="coins", amount=30, reference="bet")
    await ledger.submit(hold, actor="test", reason="test")
    await _pay(ledger)
    owner.execute("update bursar.holds set deadline = now() - interval '1 hour'")
    owner.execute(
        "insert into bursar.run_failures (run_id, holder_id, attempts, failed_at, code, message)"
        " values (1, 1, 1, now(), 'c', 'm')"
    )
    owner.execute("update bursar.runs set state = 'running'")
    owner.execute("update bursar.run_chunks set done_at = null")
    owner.execute("insert into bursar.cursors values ('webhooks', 0, '0', 0, now())")
    owner.execute("update bursar.economy set sandbox = true, clock_offset = '1 hour'")
    samples = _samples(await operation.figures())
    assert samples["bursar_holds_open",] == samples["bursar_lapses_due",] == 1
    assert samples["bursar_awards_failed_open", "monthly"] == 1
    assert samples["bursar_queue_chunks",] == 1
    assert samples["bursar_follower_lag_seconds", "webhooks"] >= 3_600
    assert samples["bursar_follower_lag_entries", "webhooks"] == 5


async def test_the_last_check_and_the_workers_are_told(
    operation: Operation, damage: Callable[[], None]
) -> None:
    await operation.sign_of_life("host:1")
    await operation.verify(actor="cli:ann", reason="audit")
    samples = _samples(await operation.figures())
    assert (samples["bursar_verify_sound",], samples["bursar_verify_entries",]) == (1, 2)
    assert samples["bursar_workers",] == 1
    damage()
    await operation.verify(actor="cli:ann", reason="audit")
    await operation.sign_off("host:1")
    samples = _samples(await operation.figures())
    assert samples["bursar_verify_sound",] == 0
    assert samples["bursar_verify_findings",] > 0
    assert (samples["bursar_alerts_open",], samples["bursar_workers",]) == (1, 0)


async def test_what_may_be_very_many_is_counted_to_a_limit_the_newest_first(
    operation: Operation,
    ledger: Ledger,
    owner: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    programs = await _pay(ledger)
    again = Override(paused=True)
    await programs.set_override("monthly", "bob", again, actor="test", reason="asked")
    owner.execute(
        "insert into bursar.runs overriding system value"
        ' select (json_populate_record(r, \'{"run_id": 1000, "program_id": null,'
        ' "kind": "grant"}\')).* from bursar.runs r'
    )
    owner.execute(
        "insert into bursar.run_failures (run_id, holder_id, attempts, failed_at, code, message)"
        " select r, h, 1, now(), 'c', 'm'"
        " from unnest('{1,1000}'::int[]) r, unnest('{1,2}'::int[]) h"
    )
    figures = await operation.figures()
    assert figures.failures == {"": 2, "monthly": 2}
    assert [p.paused for p in figures.programs] == [2]
    monkeypatch.setattr(store_figures, "COUNTED_TO", 1)
    figures = await operation.figures()
    assert figures.failures == {"": 1}
    assert [p.paused for p in figures.programs] == [1]


async def test_runs_of_yesterday_and_those_that_gave_nothing_yet_are_not_todays_awards(
    operation: Operation, ledger: Ledger, owner: psycopg.Connection
) -> None:
    await _pay(ledger)
    owner.execute("update bursar.run_chunks set done_at = null")
    figures = await operation.figures()
    assert (len(figures.runs), figures.awards) == (1, ())
    owner.execute("update bursar.run_chunks set done_at = now()")
    assert [award.awards for award in (await operation.figures()).awards] == [2]
    owner.execute("update bursar.runs set started_at = started_at - interval '1 day'")
    figures = await operation.figures()
    assert (figures.runs, figures.awards) == ((), ())
