"""``bursar db``: the database itself, ours or somebody's by address."""

from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import typer
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bursar.cli import errors, output
from bursar.cli.backup import backup
from bursar.cli.progress import meter
from bursar.cli.restore import restore
from bursar.cli.session import Json, Where, command_group, must_exist, place
from bursar.platform import postgres
from bursar.platform.errors import Invalid, Rejected
from bursar.platform.migrations import SHIPPED, migrate, schema_version
from bursar.platform.place import reach, ready

app = command_group("Start, stop and upgrade the database.")


@app.command()
def start(where: Where = None, as_json: Json = False) -> None:
    """Start the database server of a data directory, made and migrated if need be."""
    directory = _own(where)
    with meter("starting"):
        address = ready(place(where))
    server = address.server
    if server is None:
        return
    version = schema_version(address.owner_url)
    if as_json:
        shape = {"data_dir": str(directory), "pid": server.pid, "version": server.version}
        output.emit(shape | {"started": server.started, "schema": version})
        return
    how = "started" if server.started else "running already"
    output.say(f"PostgreSQL {server.version} is {how} in {directory} (process {server.pid})")


@app.command()
def stop(
    immediate: Annotated[
        bool, typer.Option("--immediate", help="At once; the next start recovers.")
    ] = False,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Stop the database server of a data directory."""
    directory = _own(where)
    with meter("stopping"):
        stopped = postgres.stop(directory, mode="immediate" if immediate else "fast")
    if as_json:
        output.emit({"data_dir": str(directory), "stopped": stopped})
    else:
        output.say(f"stopped in {directory}" if stopped else f"nothing was running in {directory}")


@app.command()
def status(where: Where = None, as_json: Json = False) -> None:
    """Tell whether the database runs and fits this program; exits with 6 while it does not run."""
    found = place(where)
    version = None
    shape: dict[str, object] = {"data_dir": None if found.data_dir is None else str(found.data_dir)}
    if found.data_dir is not None:
        seen = postgres.status(found.data_dir)
        shape |= {"state": seen.state, "pid": seen.pid, "version": seen.version}
    if found.data_dir is None or shape["state"] == "running":
        address = reach(found)
        version = schema_version(address.url)
        shape |= {"state": "running", "schema": version}
    if as_json:
        output.emit(shape)
    else:
        names = {"data_dir": "directory", "pid": "process", "version": "PostgreSQL"}
        if version is not None and version < SHIPPED.latest:
            shape["schema"] = (
                f"{version}, and this program needs {SHIPPED.latest}: `bursar migrate`"
            )
        output.facts((names.get(k, k), str(v)) for k, v in shape.items() if v is not None)
    if shape["state"] != "running":
        raise typer.Exit(errors.EXIT_CODES["unavailable"])


@app.command()
def url(
    owner: Annotated[bool, typer.Option("--owner", help="The owner's, who may migrate.")] = False,
    show_secrets: Annotated[
        bool, typer.Option("--show-secrets", help="With the password in it.")
    ] = False,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Print the address of the database, its server started if need be."""
    found = place(where)
    must_exist(found)
    if owner and found.data_dir is None and found.owner_url is None:
        raise Invalid("setting_invalid", "BURSAR_DATABASE_OWNER_URL is not set")
    given = found.owner_url if owner else found.url
    if given is None:
        address = reach(found)
        given = address.owner_url if owner else address.url
    shown = given if show_secrets else without_secret(given)
    if as_json:
        output.emit({"url": shown})
    else:
        output.say(shown)


app.command()(backup)
app.command()(restore)


@app.command()
def upgrade(
    old_bin: Annotated[
        Path | None, typer.Option("--old-bin", help="Programs of the data's version.")
    ] = None,
    new_bin: Annotated[
        Path | None, typer.Option("--new-bin", help="Programs to move up to.")
    ] = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Move a stopped data directory up to newer PostgreSQL programs; the old data is kept."""
    directory = _own(where)
    must_exist(place(where))
    with meter("upgrading"):
        done = postgres.upgrade(
            directory, new_bin=new_bin or place(where).postgres_bin, old_bin=old_bin
        )
        migrate(done.server.owner_url)
    if as_json:
        shape = {"from": done.old_version, "to": done.server.version}
        output.emit(shape | {"old_data": str(done.old_data)})
    else:
        output.say(f"PostgreSQL {done.old_version} became {done.server.version} and is running")
        output.say(f"the old data is kept in {done.old_data}; remove it when you trust the new")


def without_secret(address: str) -> str:
    """Blot out the password of an address, wherever it stands."""
    if "://" not in address:
        parts = {name: str(value) for name, value in conninfo_to_dict(address).items()}
        return make_conninfo(**parts | ({"password": "***"} if "password" in parts else {}))
    split = urlsplit(address)
    user, at, host = split.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    query = [
        (key, "***" if "password" in key else value)
        for key, value in parse_qsl(split.query, keep_blank_values=True)
    ]
    shown = f"{split.scheme}://{name}{':***' if colon else ''}{at}{host}{split.path}"
    return f"{shown}?{urlencode(query, safe='*', quote_via=quote)}" if query else shown


def _own(where: str | None) -> Path:
    """Return the data directory; raises `Rejected` when the server is not ours."""
    directory = place(where).data_dir
    if directory is None:
        raise Rejected(
            "server_not_ours",
            "the database is a server by address: start, stop and upgrade it where it runs",
        )
    return directory
