"""``bursar backup``: the books in one file (O3)."""

from pathlib import Path
from typing import Annotated

import typer

from bursar.cli import output
from bursar.cli.progress import meter
from bursar.cli.session import Json, Where, must_exist, place, single_command
from bursar.platform import backup as backups
from bursar.platform.place import reach_owner

app = single_command()


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; it is replaced whole.")],
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Write a backup of the books while everybody goes on working.

    The file is pg_dump's custom format and readable by you alone. Passwords are not in it: of a
    data directory keep credentials.json and your checksum key as well.
    """
    found = place(where)
    must_exist(found)
    with meter("backing up"):
        made = backups.back_up(reach_owner(found).owner_url, file, postgres_bin=found.postgres_bin)
    size = file.stat().st_size
    if as_json:
        shape = {"file": str(file), "bytes": size, "schema": made.schema_version}
        output.emit(shape | {"server": made.made_from, "pg_dump": made.made_by})
    else:
        output.say(f"{file}: {output.counted(size, 'byte')}, schema {made.schema_version}")
