"""A month of the sports club: from an empty directory to coins that everybody has once.

``make demo`` runs it. Every command that it shows is run as it stands, on books of its own in a
temporary directory, which it removes at the end. It touches nothing else.
"""

import argparse
import asyncio
import csv
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import people
import report
from report import spelled
from stage import CommandFailed, Stage, say, stage

from bursar.ledger import Ledger
from bursar.platform.errors import BursarError
from bursar.programs.model import RunId, RunState
from bursar.programs.runs.model import RunReport
from bursar.programs.service import Programs

HERE = Path(__file__).parent
ECONOMY = str(HERE / "economy.toml")
PLAN = str(HERE / "import.toml")
PROGRAM = "monthly"
MOST = 10_000_000
_LOOK_S = 0.005
_CONFLICT = 5


def main() -> int:
    """Tell the story; 0 if it went as told."""
    try:
        return _play_and_tidy()
    except BrokenPipeError:  # whoever read it went away; its place is gone by now
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


def _play_and_tidy() -> int:
    wanted = _arguments()
    began = time.monotonic()
    try:
        with stage(wanted.dir, keep=wanted.keep) as place:
            tell(place, wanted.subscribers)
            say(f"\nThat took {time.monotonic() - began:.0f} seconds.")
            _farewell(place, keep=wanted.keep)
    except BrokenPipeError:
        raise
    except (CommandFailed, BursarError, OSError) as error:
        say(f"\nThe demo stops here: {error}")
        return 1
    except KeyboardInterrupt:
        gone = "its directory kept" if wanted.keep else "its directory removed"
        say(f"\ninterrupted; the server is stopped, {gone}")
        return 128 + signal.SIGINT
    return 0


def tell(place: Stage, subscribers: int) -> None:
    """Play a month, from the first command to the last."""
    say("1. A database of its own, and what the club's currency is\n")
    say(f"$ export BURSAR_DATA_DIR={place.books}")
    place.run("db", "start")
    place.run("economy", "apply", ECONOMY, "--reason", "first version")

    say(f"\n2. Its {spelled(subscribers)} subscribers, as the app exports them\n")
    file = place.base / "subscribers.csv"
    people.write_csv(file, subscribers, datetime.now(UTC))
    import_ = ("holders", "import", str(file), "--plan", PLAN, "--reason", "from the app")
    place.run(*import_)

    say("\n3. What this month would come to; nothing is written\n")
    place.run("run", "preview", PROGRAM, "--limit", "3")
    newest = _members(file)[-2:]
    place.run("run", "preview", PROGRAM, *(o for m in newest for o in ("--holder", m)))

    say("\n4. The month is paid, by a process that is killed half-way (SIGKILL)\n")
    start = ("run", "start", PROGRAM, "--reason", "coins of the month")
    with place.started(*start) as process:
        run, killed = asyncio.run(_kill_half_way(place, process))
    name = run.run.name
    parts = f"{run.progress.chunks_done} of {run.progress.chunks} parts"
    if killed:
        say(f"killed when {parts} were done; what was under way has not happened")
    else:
        say(f"it was quicker than the kill: {parts} were done")
    place.run("run", "status", name)

    say("\n5. Another process goes on where that one died\n")
    place.run("run", "work", name)

    say("\n6. All of it once more, by mistake: nobody is paid twice\n")
    place.run(*start, expect=(_CONFLICT,))
    place.run(*import_)
    place.run("tick")

    say("\n7. Do the books add up, and what does a member see?\n")
    place.run("verify")
    place.run("history", newest[-1])
    place.run("notices", "inbox", newest[-1])
    place.run("next", newest[-1])

    say("\n8. The month, counted anew from the exported books\n")
    entries = place.base / "entries.csv"
    place.run("export", "csv", "-o", str(entries))
    finished = asyncio.run(_report_of(place, run.run.run_id))
    _show_month(finished, report.count(entries, PROGRAM, run.run.period.key))


async def _kill_half_way(place: Stage, process: subprocess.Popen[bytes]) -> tuple[RunReport, bool]:
    """Watch the run that a process has started, and kill the process when half of it is done."""
    async with await Ledger.open(place.books) as ledger:
        runs = Programs(ledger).runs
        while process.poll() is None:
            for found in await runs.recent(PROGRAM):
                done, parts = found.progress.chunks_done, found.progress.chunks
                if found.run.state is RunState.RUNNING and done >= parts // 2:
                    process.kill()
                    process.wait()
                    return await runs.report(found.run.run_id), True
            await asyncio.sleep(_LOOK_S)
        paid = [r for r in await runs.recent(PROGRAM) if r.run.state is RunState.FINISHED]
        if not paid:
            raise CommandFailed(f"the run ended with {process.returncode} before it began")
        return paid[0], False


async def _report_of(place: Stage, run_id: RunId) -> RunReport:
    async with await Ledger.open(place.books) as ledger:
        return await Programs(ledger).runs.report(run_id)


def _members(file: Path) -> list[str]:
    """Read the members of the file, in the order they joined."""
    with file.open(encoding="utf-8", newline="") as stream:
        return [row["member"] for row in csv.DictReader(stream)]


def _show_month(finished: RunReport, given: report.Given) -> None:
    """Draw who was given how much, and hold the books against what the run says."""
    run, progress = finished.run, finished.progress
    say(f"\n{run.period.key}, by how much of the month a member was there and verified:\n")
    left_out = {f"left out: {reason}": number for reason, number in progress.excluded.items()}
    for line in report.chart(given.bars | left_out):
        say(line)
    same = (given.paid, sum(given.amounts)) == (progress.awarded, progress.amount)
    say(
        f"\n  {spelled(sum(given.amounts))} {run.asset} to {spelled(given.paid)} members,"
        f" {spelled(given.paid_twice)} of them twice:\n"
        f"  {'just' if same else 'NOT'} what {run.name} says it gave"
    )
    if given.paid_twice or not same:
        raise CommandFailed("the books do not say what they should")


def _farewell(place: Stage, *, keep: bool) -> None:
    """Say where it is, or that it is gone, and what to try next."""
    if keep:
        say(f"The books stay in {place.base}; remove it when you are done. Go on with:\n")
        say("  . .venv/bin/activate")
        say(f"  export BURSAR_DATA_DIR={place.books}")
        say("  bursar clock move +31d      # the next month, paid in seconds: it is a sandbox")
        say("  bursar run list")
        say("  bursar db stop")
    else:
        say("Its server is stopped and its directory is removed. What to try next:\n")
        say("  DEMO_KEEP=1 make demo       # keep the books, and look around in them")
        say("  less examples/sportsclub/economy.toml")
    say("  less README.md              # a first grant and a first spend of your own")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo", description="A month of a sports club.")
    parser.add_argument("--subscribers", type=_some, default=100_000, metavar="N")
    parser.add_argument(
        "--dir",
        type=Path,
        default=os.environ.get("DEMO_DIR") or None,
        help="where to make the temporary directory (DEMO_DIR)",
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        default=os.environ.get("DEMO_KEEP", "") not in {"", "0"},
        help="keep the directory (DEMO_KEEP=1)",
    )
    return parser.parse_args()


def _some(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MOST:
        raise argparse.ArgumentTypeError(f"between 1 and {MOST}")
    return number


if __name__ == "__main__":
    sys.exit(main())
