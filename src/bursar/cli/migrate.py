"""``bursar migrate``: bring the schema up to this program."""

from typing import Annotated

import typer

from bursar.cli import output
from bursar.cli.progress import meter
from bursar.cli.session import Json, Where, place, single_command
from bursar.platform.migrations import migrate as apply
from bursar.platform.migrations import pending, schema_version
from bursar.platform.place import reach_owner

app = single_command()


@app.command()
def migrate(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Bring the database's schema up to this program; the last release's processes may go on.

    A server by address is migrated as BURSAR_DATABASE_OWNER_URL, if that is set.
    """
    owner_url = reach_owner(place(where)).owner_url
    if dry_run:
        files = pending(owner_url)
    else:
        with meter("migrating"):
            files = apply(owner_url)
    version = schema_version(owner_url)
    if as_json:
        names = [migration.file for migration in files]
        output.emit({"dry_run": dry_run, "schema": version, "migrations": names})
        return
    for migration in files:
        output.say(f"{'would apply' if dry_run else 'applied'} {migration.file}")
    if not files:
        output.say(f"nothing to do: the schema is at {version}")
