"""Making a new cluster: initdb, roles, database, each step safe to do again (O1).

A cold start that dies leaves either nothing under the final name (initdb works in ``pgdata.new``)
or a cluster without the ``ready`` marker, whose roles and database the next start completes.
"""

import itertools
import os
import secrets
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

import msgspec
import psycopg
from psycopg import sql

from bursar.platform.errors import Broken, Invalid, Rejected
from bursar.platform.postgres import logs
from bursar.platform.postgres.directory import TEMPORARY, Layout, disk_errors, remove_tree
from bursar.platform.postgres.programs import Programs, find_major

OWNER = "bursar_owner"
SERVICE = "bursar_service"
DATABASE = "bursar"
_INCLUDES = "\n# Bursar's settings, then the operator's.\ninclude '../bursar.conf'\n"


class Credentials(msgspec.Struct, frozen=True):
    """The passwords of the two roles; random, never shown."""

    owner: str
    service: str

    def __repr__(self) -> str:
        return "Credentials(***)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return []


def url(role: str, password: str, socket_dir: Path, port: int) -> str:
    """Spell the address of our database over the socket."""
    where = quote(str(socket_dir), safe="")
    return f"postgresql://{role}:{quote(password)}@/{DATABASE}?host={where}&port={port}"


def load_credentials(layout: Layout) -> Credentials:
    """Read the passwords; raises `Invalid` ``credentials_missing``."""
    try:
        fd = os.open(layout.credentials, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            return msgspec.json.decode(file.read(), type=Credentials)
    except (FileNotFoundError, msgspec.DecodeError) as error:
        raise Invalid(
            "credentials_missing",
            f"{layout.credentials} is missing or damaged, and without it nobody may connect; "
            "bring it back from a backup",
            path=str(layout.credentials),
        ) from error


def recover_names(layout: Layout) -> None:
    """Undo what an interrupted initdb or upgrade left under temporary names.

    The caller holds the start lock, so nobody is working there. Raises `Broken` ``data_missing``
    rather than let a directory that once had a ledger start as an empty one.
    """
    if layout.before.exists() and not layout.pgdata.exists():
        layout.rename(layout.before, layout.pgdata)
    remove_tree(layout.new)
    for left in layout.root.glob(f"{TEMPORARY}*"):
        left.unlink()
    if layout.ready.exists() and data_major(layout.pgdata) is None:
        raise Broken(
            "data_missing",
            f"{layout.pgdata} was here once and is gone; bring it back from a backup "
            f"(to begin anew, remove {layout.root} as a whole)",
            path=str(layout.pgdata),
        )


def close_upgrade(layout: Layout) -> Path | None:
    """Put the old data of an upgrade aside, once the new has been seen to start."""
    if not layout.before.exists():
        return None
    name = f"pgdata.old-{data_major(layout.before)}"
    taken = {path.name for path in layout.root.glob("pgdata.old-*")}
    later = (f"{name}.{number}" for number in itertools.count(2))
    kept = layout.root / next(free for free in itertools.chain([name], later) if free not in taken)
    layout.rename(layout.before, kept)
    return kept


def data_major(pgdata: Path) -> int | None:
    """Read the major version the data belongs to; None when there is no cluster."""
    try:
        return int((pgdata / "PG_VERSION").read_text().strip())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise Broken("data_damaged", f"{pgdata}/PG_VERSION is damaged", path=str(pgdata)) from error


def check_major(layout: Layout, programs: Programs) -> None:
    """Raise `Rejected` ``postgres_version_mismatch`` when the programs cannot open the data."""
    major = data_major(layout.pgdata)
    if major in {None, programs.major}:
        return
    matching = find_major(major) if major else None
    keep = f"={matching.bin}" if matching else f" to the programs of PostgreSQL {major}"
    way = f"Set BURSAR_POSTGRES_BIN{keep} to go on with them"
    if major is not None and major < programs.major:
        way += ", or move the data up with `bursar db upgrade`"
    raise Rejected(
        "postgres_version_mismatch",
        f"{layout.pgdata} was made by PostgreSQL {major}, and the programs in {programs.bin} are "
        f"PostgreSQL {programs.version}. {way}.",
        data_major=major,
        program_major=programs.major,
        program_version=programs.version,
        matching_bin=str(matching.bin) if matching else None,
    )


def create(layout: Layout, programs: Programs, lock: int) -> None:
    """Run initdb and give the result its name; the credentials are on disk before it."""
    with disk_errors(layout.root):
        if not layout.credentials.exists():
            fresh = Credentials(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
            layout.write_file(layout.credentials, msgspec.json.encode(fresh).decode() + "\n")
        initdb(layout, programs, lock)
        layout.rename(layout.new, layout.pgdata)


def initdb(layout: Layout, programs: Programs, lock: int) -> None:
    """Make a cluster in ``pgdata.new``; nothing stays there when it fails."""
    if not layout.account.known:
        raise Invalid(
            "server_account_missing",
            f"the account {layout.account.name}, which PostgreSQL would run as, has no name; "
            "its programs demand an entry in /etc/passwd",
            accounts=[layout.account.name],
        )
    credentials = load_credentials(layout)
    remove_tree(layout.new)
    layout.make_dir(layout.new)
    fd, name = tempfile.mkstemp(prefix=TEMPORARY, dir=layout.root)
    password_file = Path(name)
    try:
        with os.fdopen(fd, "w") as file:
            file.write(credentials.owner)
        layout.give(password_file)
        run_program(
            layout,
            programs,
            [
                *("initdb", "-D", str(layout.new), "-U", OWNER, f"--pwfile={password_file}"),
                *("--auth=scram-sha-256", "--locale=C", "--encoding=UTF8", "--data-checksums"),
                "--no-instructions",
            ],
            lock,
        )
        conf_fd = layout.open_file(layout.new / "postgresql.conf", os.O_WRONLY | os.O_APPEND)
        with os.fdopen(conf_fd, "a") as conf:
            conf.write(f"{_INCLUDES}include_if_exists '../operator.conf'\n")
            conf.flush()
            os.fsync(conf.fileno())
    except BaseException:
        remove_tree(layout.new)
        raise
    finally:
        password_file.unlink(missing_ok=True)


def run_program(
    layout: Layout, programs: Programs, command: list[str], lock: int, **extra: str
) -> None:
    """Run a program as the server's account; it inherits the start lock and outlives us with it."""
    done = subprocess.run(
        [programs.path(command[0]), *command[1:]],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=layout.run,
        env=environment() | extra,
        umask=0o077,
        start_new_session=True,
        pass_fds=(lock,),
        **layout.account.popen(),
    )
    if done.returncode != 0:
        said = done.stdout.decode(errors="replace")
        log = logs.clean(logs.read_tree(layout.new) + "\n" + said, count=20)
        raise logs.explain(f"{command[0]} ended with {done.returncode}", layout, log)


def environment() -> dict[str, str]:
    """What PostgreSQL's processes may know of our environment: no PG* variable, no secret."""
    kept = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    base = {name: os.environ[name] for name in kept if name in os.environ}
    return {"PATH": os.defpath} | base | {"LC_ALL": "C", "TZ": "UTC"}


def complete(layout: Layout, credentials: Credentials, socket_dir: Path, port: int) -> None:
    """Make role and database unless they are there, then write the marker."""
    with psycopg.connect(
        host=str(socket_dir),
        hostaddr="",
        port=port,
        user=OWNER,
        password=credentials.owner,
        dbname="postgres",
        autocommit=True,
        connect_timeout=30,
    ) as connection:
        role, database = sql.Identifier(SERVICE), sql.Identifier(DATABASE)
        known = connection.execute("select from pg_roles where rolname = %s", [SERVICE]).rowcount
        if not known:
            connection.execute(sql.SQL("create role {} nologin").format(role))
        # The server learns only the verifier, so no log can ever show the password.
        verifier = connection.pgconn.encrypt_password(
            credentials.service.encode(), SERVICE.encode(), b"scram-sha-256"
        ).decode()
        connection.execute(
            sql.SQL("alter role {} login nosuperuser password {}").format(role, verifier)
        )
        known = connection.execute(
            "select from pg_database where datname = %s", [DATABASE]
        ).rowcount
        if not known:
            connection.execute(
                sql.SQL("create database {} owner {}").format(database, sql.Identifier(OWNER))
            )
        connection.execute(sql.SQL("revoke all on database {} from public").format(database))
        connection.execute(
            sql.SQL("grant connect, temporary on database {} to {}").format(database, role)
        )
    with disk_errors(layout.root):
        layout.write_file(layout.ready, "roles and database exist\n")
