"""Figures as Prometheus text; docs/metrics.md lists every metric (O2).

Counters are what only grows. What was moved *today* falls back to 0 at midnight, UTC, and is a
gauge; so are amounts of kinds that go either way.
"""

from collections.abc import Callable, Iterator
from typing import Final, Literal, NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bursar.operation.figures import Figures

_GIVEN: Final = frozenset({"grant", "earn", "purchase", "refund", "opening", "transfer_in"})
_TAKEN: Final = frozenset({"spend", "capture", "expire", "transfer_out", "withhold"})

Sample = tuple[tuple[str, ...], float]


class Measure(NamedTuple):
    """One metric: its name, kind, help, labels, and how its samples are had."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...]
    samples: Callable[[Figures], Iterator[Sample]]


def _one(read: Callable[[Figures], float | None]) -> Callable[[Figures], Iterator[Sample]]:
    """Make samples of one number; none where it is not known."""

    def samples(figures: Figures) -> Iterator[Sample]:
        value = read(figures)
        if value is not None:
            yield (), float(value)

    return samples


def _given(f: Figures) -> Iterator[Sample]:
    return (((m.asset, m.account, m.kind), m.amount) for m in f.movements if m.kind in _GIVEN)


def _taken(f: Figures) -> Iterator[Sample]:
    return (((m.asset, m.account, m.kind), -m.amount) for m in f.movements if m.kind in _TAKEN)


_MOVED: Final = ("asset", "account", "kind")
_AWARDED: Final = ("program", "asset")

MEASURES: Final = (
    Measure(
        "bursar_entries_total",
        "counter",
        "Entries that moved credit.",
        _MOVED,
        lambda f: (((m.asset, m.account, m.kind), m.entries) for m in f.movements),
    ),
    Measure(
        "bursar_credits_given_minor_units_total",
        "counter",
        "Credit that wallets gained, in minor units of the asset, by kinds that only give.",
        _MOVED,
        _given,
    ),
    Measure(
        "bursar_credits_taken_minor_units_total",
        "counter",
        "Credit that left wallets, in minor units of the asset, by kinds that only take.",
        _MOVED,
        _taken,
    ),
    Measure(
        "bursar_credits_net_minor_units",
        "gauge",
        "All that every kind has moved, in minor units; positive is what wallets gained.",
        _MOVED,
        lambda f: (((m.asset, m.account, m.kind), m.amount) for m in f.movements),
    ),
    Measure(
        "bursar_entries_today",
        "gauge",
        "Entries that moved credit since midnight UTC.",
        _MOVED,
        lambda f: (((m.asset, m.account, m.kind), m.entries_today) for m in f.movements),
    ),
    Measure(
        "bursar_credits_today_minor_units",
        "gauge",
        "Credit moved since midnight UTC, in minor units; positive is what wallets gained.",
        _MOVED,
        lambda f: (((m.asset, m.account, m.kind), m.amount_today) for m in f.movements),
    ),
    Measure(
        "bursar_runs_today",
        "gauge",
        "Runs of programs begun since midnight UTC, by how they stand.",
        ("program", "kind", "state"),
        lambda f: (((r.program, r.kind, r.state), r.runs) for r in f.runs),
    ),
    Measure(
        "bursar_awards_today",
        "gauge",
        "Holders given something by the runs begun since midnight UTC.",
        _AWARDED,
        lambda f: (((a.program, a.asset), a.awards) for a in f.awards),
    ),
    Measure(
        "bursar_awards_today_minor_units",
        "gauge",
        "What the runs begun since midnight UTC gave, in minor units.",
        _AWARDED,
        lambda f: (((a.program, a.asset), a.amount) for a in f.awards),
    ),
    Measure(
        "bursar_awards_failed_today",
        "gauge",
        "Holders whom the runs begun since midnight UTC set aside at their first try.",
        _AWARDED,
        lambda f: (((a.program, a.asset), a.failed) for a in f.awards),
    ),
    Measure(
        "bursar_awards_failed_open",
        "gauge",
        "Holders set aside by a run who still wait for their award, the newest 10000 of all.",
        ("program",),
        lambda f: (((name,), count) for name, count in f.failures.items()),
    ),
    Measure(
        "bursar_program_on",
        "gauge",
        "1 if the program's switch is on.",
        ("program",),
        lambda f: (((p.program,), p.on) for p in f.programs),
    ),
    Measure(
        "bursar_holders_paused",
        "gauge",
        "Holders whom an operator has paused in the program; 10000 means so many or more.",
        ("program",),
        lambda f: (((p.program,), p.paused) for p in f.programs),
    ),
    Measure(
        "bursar_run_duration_seconds",
        "gauge",
        "Time that the program's latest finished scheduled run took.",
        ("program",),
        lambda f: (((p.program,), p.run_s) for p in f.programs if p.run_s is not None),
    ),
    Measure(
        "bursar_run_finished_timestamp_seconds",
        "gauge",
        "When the program's latest finished scheduled run ended.",
        ("program",),
        lambda f: (((p.program,), p.finished_at.timestamp()) for p in f.programs if p.finished_at),
    ),
    Measure(
        "bursar_queue_chunks",
        "gauge",
        "Parts of running runs that are not done yet.",
        (),
        _one(lambda f: f.queue.chunks),
    ),
    Measure(
        "bursar_runs_waiting",
        "gauge",
        "Runs that wait for a second person's approval.",
        (),
        _one(lambda f: f.queue.runs_waiting),
    ),
    Measure(
        "bursar_runs_paused",
        "gauge",
        "Runs that are paused.",
        (),
        _one(lambda f: f.queue.runs_paused),
    ),
    Measure(
        "bursar_holds_open",
        "gauge",
        "Open holds; 10000 means so many or more.",
        (),
        _one(lambda f: f.queue.holds_open),
    ),
    Measure(
        "bursar_lapses_due",
        "gauge",
        "Holds past their deadline that are not in the books yet; 10000 means so many or more.",
        (),
        _one(lambda f: f.queue.lapses_due),
    ),
    Measure(
        "bursar_expiries_due",
        "gauge",
        "Lots past their date that are not in the books yet; 10000 means so many or more.",
        (),
        _one(lambda f: f.queue.expiries_due),
    ),
    Measure(
        "bursar_follower_lag_seconds",
        "gauge",
        "How long the oldest posting that a follower has not seen has waited.",
        ("follower",),
        lambda f: (((one.follower,), one.seconds) for one in f.followers),
    ),
    Measure(
        "bursar_follower_lag_entries",
        "gauge",
        "Entries that a follower has not seen, of the next 10000 postings at most.",
        ("follower",),
        lambda f: (((one.follower,), one.entries) for one in f.followers),
    ),
    Measure(
        "bursar_deliveries_waiting",
        "gauge",
        "Deliveries to be sent, due now or later; 10000 means so many or more.",
        ("channel",),
        lambda f: (((q.channel,), q.waiting) for q in f.notices.queues),
    ),
    Measure(
        "bursar_deliveries_failing",
        "gauge",
        "Of the first 10000 that wait, those that have failed three times or more.",
        ("channel",),
        lambda f: (((q.channel,), q.failing) for q in f.notices.queues),
    ),
    Measure(
        "bursar_deliveries_parked",
        "gauge",
        "Deliveries given up, or parked by a restore; 10000 means so many or more.",
        ("channel",),
        lambda f: (((q.channel,), q.parked) for q in f.notices.queues),
    ),
    Measure(
        "bursar_deliveries_behind_seconds",
        "gauge",
        "For how long the delivery that has waited longest for a sender has been due.",
        ("channel",),
        lambda f: (((q.channel,), q.behind_s) for q in f.notices.queues),
    ),
    Measure(
        "bursar_dispatches_open",
        "gauge",
        "Runs and periods whose notices are being made, or are paused.",
        ("state",),
        lambda f: iter(
            (
                (("running",), f.notices.dispatches_running),
                (("paused",), f.notices.dispatches_paused),
            )
        ),
    ),
    Measure(
        "bursar_webhooks",
        "gauge",
        "Webhooks that there are, by whether anything is sent there.",
        ("state",),
        lambda f: iter(((("on",), f.notices.webhooks_on), (("off",), f.notices.webhooks_off))),
    ),
    Measure(
        "bursar_mail_addresses_blocked",
        "gauge",
        "Addresses that mail servers say are nobody's; 10000 means so many or more.",
        (),
        _one(lambda f: f.notices.blocked),
    ),
    Measure(
        "bursar_alerts_open",
        "gauge",
        "Operator alerts that nobody has closed.",
        (),
        _one(lambda f: f.alerts),
    ),
    Measure(
        "bursar_workers",
        "gauge",
        "Workers that gave a sign of life in the last two minutes.",
        (),
        _one(lambda f: f.workers),
    ),
    Measure(
        "bursar_verify_sound",
        "gauge",
        "1 if the last check of all the books found nothing, 0 if it found damage.",
        (),
        _one(lambda f: f.check.sound),
    ),
    Measure(
        "bursar_verify_findings",
        "gauge",
        "What the last check of all the books found.",
        (),
        _one(lambda f: f.check.found),
    ),
    Measure(
        "bursar_verify_entries",
        "gauge",
        "Entries that the last check of all the books looked at.",
        (),
        _one(lambda f: f.check.entries),
    ),
    Measure(
        "bursar_verify_duration_seconds",
        "gauge",
        "Time that the last check of all the books took.",
        (),
        _one(lambda f: f.check.seconds),
    ),
    Measure(
        "bursar_verify_finished_timestamp_seconds",
        "gauge",
        "When the last check of all the books ended.",
        (),
        _one(lambda f: f.check.ended_at.timestamp() if f.check.ended_at else None),
    ),
    Measure(
        "bursar_verify_running",
        "gauge",
        "1 while a check of the books is under way.",
        (),
        _one(lambda f: f.check.running),
    ),
    Measure(
        "bursar_database_size_bytes",
        "gauge",
        "Size of the database on disk.",
        (),
        _one(lambda f: f.database_bytes),
    ),
    Measure(
        "bursar_schema_version",
        "gauge",
        "Number of the latest migration applied.",
        (),
        _one(lambda f: f.schema),
    ),
)


class _Snapshot(Collector):
    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Give every metric of one reading; one without samples is there by its help alone."""
        for measure in MEASURES:
            family = (CounterMetricFamily if measure.kind == "counter" else GaugeMetricFamily)(
                measure.name, measure.help, labels=measure.labels
            )
            for labels, value in measure.samples(self._figures):
                family.add_metric(labels, float(value))
            yield family


def render(figures: Figures) -> bytes:
    """Write figures as Prometheus text, to stand before or after what the process counts."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(figures))
    return generate_latest(registry)
