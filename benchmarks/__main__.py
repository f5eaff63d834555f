"""Run benchmarks: ``python -m benchmarks NAME [--size N] [--json]``; NAME may be ``all``."""

import argparse
import importlib

from benchmarks.report import Report

NAMES = ("posting", "group_commit", "verify", "statement", "run", "run_scale", "tick", "import")
_MODULES = {"import": "import_holders"}


def main() -> None:
    """Run one or all, and print what they say."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=(*NAMES, "all"))
    parser.add_argument("--size", type=int, help="wallets or entries; each has its own default")
    parser.add_argument("--json", action="store_true", help="one JSON object for each benchmark")
    given = parser.parse_args()
    for name in NAMES if given.name == "all" else (given.name,):
        run = importlib.import_module(f"benchmarks.{_MODULES.get(name, name)}").run
        report: Report = run(given.size) if given.size else run()
        print(report.as_json() if given.json else report.as_text(), flush=True)


if __name__ == "__main__":
    main()
