"""Run benchmarks: ``python -m benchmarks NAME [--size N] [--json]``; NAME may be ``all``."""

import argparse
import importlib

from benchmarks.report import Report

NAMES = (
    "posting",
    "group_commit",
    "verify",
    "statement",
    "run",
    "run_scale",
    "tick",
    "notices",
    "import",
    "http_single",
    "http_bulk",
    "http_read",
    "streams",
)
_PLACES = {
    "import": ("import_holders", "run"),
    "http_single": ("http", "single"),
    "http_bulk": ("http", "bulk"),
    "http_read": ("http", "read"),
}
"""Where a benchmark is, if not in a module of its name as ``run``."""


def main() -> None:
    """Run one or all, and print what they say."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=(*NAMES, "all"))
    parser.add_argument("--size", type=int, help="wallets or entries; each has its own default")
    parser.add_argument("--json", action="store_true", help="one JSON object for each benchmark")
    given = parser.parse_args()
    for name in NAMES if given.name == "all" else (given.name,):
        module, function = _PLACES.get(name, (name, "run"))
        run = getattr(importlib.import_module(f"benchmarks.{module}"), function)
        report: Report = run(given.size) if given.size else run()
        print(report.as_json() if given.json else report.as_text(), flush=True)


if __name__ == "__main__":
    main()
