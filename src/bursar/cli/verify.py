"""``bursar verify``: check the books (L10)."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bursar.cli import errors, output
from bursar.cli.files import write_whole
from bursar.cli.progress import Meter, meter
from bursar.cli.running import operation_of
from bursar.cli.session import (
    Actor,
    Json,
    Where,
    actor_or_me,
    instant_of,
    single_command,
    with_ledger,
)
from bursar.ledger import Checkpoint, Finding, Ledger, Report
from bursar.platform.errors import Invalid

app = single_command()


@app.command()
def verify(
    from_holder: Annotated[
        int | None, typer.Option("--from-holder", min=1, help="Number of the first to check.")
    ] = None,
    to_holder: Annotated[
        int | None, typer.Option("--to-holder", min=1, help="Number of the last to check.")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="FILE", help="Keep there how far it is, and go on."),
    ] = None,
    keyed_since: Annotated[
        str | None,
        typer.Option("--keyed-since", metavar="INSTANT", help="Since when a key is in use."),
    ] = None,
    actor: Actor = None,
    reason: Annotated[
        str, typer.Option("--reason", help="Why; kept with the record of the check.")
    ] = "asked for",
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Check the books: every chain, balance, hold, lot and total. Damage ends it with 70.

    Others may go on posting. What came of it is kept, and damage raises an alert. With a range of
    holders only their wallets are checked.
    """
    before = None if resume is None else _read(resume)
    since = None if keyed_since is None else instant_of(keyed_since, "--keyed-since")

    async def work(ledger: Ledger) -> Report:
        with meter("checking") as shown:
            return await operation_of(ledger).verify(
                actor=actor_or_me(actor),
                reason=reason,
                first_holder=from_holder,
                last_holder=to_holder,
                keyed_since=since,
                resume=before,
                progress=lambda at: _keep(at, resume, shown),
            )

    report = with_ledger(where, work, connections=3)
    if as_json:
        output.emit({"ok": report.ok} | msgspec.structs.asdict(report))
    else:
        show_report(report)
    if resume is not None:
        resume.unlink(missing_ok=True)
    if not report.ok:
        raise typer.Exit(errors.EXIT_CODES["broken"])


def check_all(url: str) -> Report:
    """Check all the books at an address, as after a restore."""

    async def work(ledger: Ledger) -> Report:
        with meter("checking"):
            return await ledger.verify()

    return with_ledger(url, work)


def show_report(report: Report) -> None:
    """Show what was checked and what was found."""
    for line in summary(report):
        output.say(line)
    if report.findings:
        output.say("")
        rows = [_row(finding) for finding in report.findings]
        output.tabulate(["damage", "where", "the entries say", "there is"], rows)
        if report.found > len(report.findings):
            output.say(f"and {output.amount(report.found - len(report.findings), 0)} more")


def summary(report: Report) -> list[str]:
    """Spell a report in a line or two."""
    entries = output.counted(report.entries, "entry", "entries")
    told = [f"{entries} in {output.counted(report.wallets, 'wallet')} checked: "]
    told[0] += (
        f"{output.counted(report.found, 'finding')}" if report.found else "the books are sound"
    )
    if report.unverifiable:
        sealed = output.counted(report.unverifiable, "entry is", "entries are")
        told.append(f"{sealed} sealed with a key that is not here: set BURSAR_CHECKSUM_KEY")
    return told


def _row(finding: Finding) -> tuple[str, str, str, str]:
    return finding.kind, finding.key, finding.expected, finding.found


def _read(file: Path) -> Checkpoint | None:
    """Read how far an earlier check came; a file that isn't there yet is a new check."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Checkpoint)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise errors.of_file(error, file) from error
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Invalid(
            "file_invalid", f"{file} does not say how far a check came", path=str(file)
        ) from None


def _keep(at: Checkpoint, file: Path | None, shown: Meter) -> None:
    told = output.counted(at.entries, "entry", "entries")
    shown.say(f"{at.stage.replace('_', ' ')}: {told}, {output.counted(at.found, 'finding')}")
    if file is not None:
        with write_whole(file) as out:
            out.write(msgspec.json.encode(at).decode())
