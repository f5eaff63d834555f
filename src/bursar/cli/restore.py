"""``bursar restore``: the books out of a file, all of them or nothing (O3)."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bursar.cli import errors, output
from bursar.cli.progress import meter
from bursar.cli.session import Json, Where, place, single_command
from bursar.cli.verify import check_all, show_report
from bursar.platform import backup as backups
from bursar.platform.errors import Invalid
from bursar.platform.place import reach_owner
from bursar.platform.sealing import KEY_FILE, VARIABLE, reserve_key
from bursar.platform.settings import load_settings

app = single_command()


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    into: Annotated[
        str | None,
        typer.Option("--into", metavar="WHERE", help="The owner's address, or a data directory."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Give up what is in the database now.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Bring a backup back, all of it or nothing, then check the books.

    Into an empty database, unless you say --replace. Followers of the journal go on where they
    were when the backup was made: what they had sent by then is not sent again.
    """
    found = place(where if into is None else into)
    backups.inspect(file)  # before a directory is made for it
    if replace and not yes:
        _confirm("Give up what is in the database now?")
    with meter("restoring"):
        address = reach_owner(found)
        done = backups.restore(
            file, address.owner_url, replace=replace, postgres_bin=found.postgres_bin
        )
    report = check_all(address.owner_url if found.pooled else address.url)
    if as_json:
        shape = {"schema": done.manifest.schema_version, "migrated": done.migrated}
        output.emit({"file": str(file)} | shape | {"ok": report.ok, "verify": report})
    else:
        output.say(f"restored from {file}")
        show_report(report)
    if done.sealed and found.data_dir and not load_settings().secrets_key:
        _ask_for_key(found.data_dir)
    if not report.ok:
        raise typer.Exit(errors.EXIT_CODES["broken"])


def _ask_for_key(data_dir: Path) -> None:
    """Have no other key made in the place of the one that opens the secrets of webhooks."""
    if reserve_key(data_dir):
        errors.tell(
            f"put the {KEY_FILE} of the books into {data_dir}, or set {VARIABLE}: webhooks, and "
            "letters with a link, wait for it"
        )


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise Invalid("option_invalid", "--replace asks first: add --yes", option="--replace")
    typer.confirm(question, abort=True, err=True)
