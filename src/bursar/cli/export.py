"""``bursar export``: take the books out (L11)."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from bursar.cli import errors, output
from bursar.cli.files import write_whole
from bursar.cli.progress import meter
from bursar.cli.session import Json, Where, single_command, with_ledger
from bursar.platform.errors import Invalid

app = single_command()


@app.command()
def export(
    form: Annotated[Literal["beancount", "csv"], typer.Argument(metavar="beancount|csv")],
    file: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Written whole or not.")
    ] = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Write the books as plain-text accounting that bean-check accepts, or as CSV.

    It is one picture of the books, whatever is posted meanwhile; holders are named by number.
    """
    if file is None:
        if as_json:
            raise Invalid("option_invalid", "--json needs -o: the books go to standard output")
        count = with_ledger(where, lambda ledger: ledger.export(form, sys.stdout.write))
    else:
        with meter("exporting"), write_whole(file) as out:
            count = with_ledger(where, lambda ledger: ledger.export(form, out.write))
    if as_json:
        output.emit({"file": str(file), "format": form, "entries": count})
    elif file is not None:
        output.say(f"{file}: {output.counted(count, 'entry', 'entries')}")
    else:
        errors.tell(output.counted(count, "entry", "entries"))
