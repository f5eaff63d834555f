"""Counting requests for Prometheus, over all processes of one server (O2)."""

import os
from collections.abc import Callable
from functools import cache
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_SHARED: Final = "PROMETHEUS_MULTIPROC_DIR"


disable_created_metrics()  # type: ignore[no-untyped-call]  # they double what is scraped, and say nothing new


class Telemetry:
    """Requests by method, route and status, and how long they took."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        requests = Counter(
            "bursar_http_requests",
            "Requests answered; route unknown is no endpoint, status 0 was not answered.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        seconds = Histogram(
            "bursar_http_request_seconds",
            "How long requests took, their bodies included.",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._streams = Gauge(
            "bursar_http_streams",
            "Streams of events that are open.",
            ["route"],
            registry=self._registry,
            multiprocess_mode="livesum",
        )

        @cache
        def of(
            method: str, route: str, status: int
        ) -> tuple[Callable[[], None], Callable[[float], None]]:
            counted = requests.labels(_known(method), route, str(status))
            return counted.inc, seconds.labels(_known(method), route).observe

        self._of = of

    def count(self, method: str, route: str, status: int, took_s: float) -> None:
        """Count a request that was answered."""
        inc, observe = self._of(method, route, status)
        inc()
        observe(took_s)

    def begin_stream(self, method: str, route: str, status: int) -> None:
        """Count a stream as it begins; how long it lasts is no request's time."""
        inc, _ = self._of(method, route, status)
        inc()
        self._streams.labels(route).inc()

    def end_stream(self, route: str) -> None:
        """Take note of a stream's end."""
        self._streams.labels(route).dec()

    def render(self) -> bytes:
        """Write what was counted, by all processes where there are several."""
        if os.environ.get(_SHARED):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
            return generate_latest(registry)
        return generate_latest(self._registry)


def _known(method: str) -> str:
    """Keep strange methods from becoming labels without end."""
    return (
        method
        if method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
        else "OTHER"
    )
