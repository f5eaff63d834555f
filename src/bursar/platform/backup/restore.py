"""Bringing a backup back: all of it or nothing, and followers go on where they were (O3).

Everything happens in one transaction of the target: what was there is dropped, the backup's schema
and rows come in, and the epoch moves on. If anything fails before its end, nothing has happened.
"""

import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import msgspec

from bursar.platform.backup.archive import Manifest, inspect, require_known
from bursar.platform.backup.client import known_error, without_password, words
from bursar.platform.backup.server import connected, require_room
from bursar.platform.errors import Unavailable
from bursar.platform.migrations import migrate
from bursar.platform.postgres.programs import Programs, find_clients

# The schema itself stays, for the owner of the books may not be allowed to make one.
_CLEAR: Final = b"""\
do $$
declare statement text;
begin
    for statement in
        select format('drop table if exists bursar.%I cascade', c.relname)
          from pg_class c where c.relnamespace = 'bursar'::regnamespace and c.relkind in ('r', 'p')
         union all
        select format('drop view if exists bursar.%I cascade', c.relname)
          from pg_class c where c.relnamespace = 'bursar'::regnamespace and c.relkind = 'v'
         union all
        select format('drop sequence if exists bursar.%I cascade', c.relname)
          from pg_class c where c.relnamespace = 'bursar'::regnamespace and c.relkind = 'S'
         union all
        select format('drop routine if exists %s cascade', p.oid::regprocedure)
          from pg_proc p where p.pronamespace = 'bursar'::regnamespace
    loop
        execute statement;
    end loop;
end $$;
"""

# Transaction numbers begin anew on another server, and an old backup's postings may come again on
# the same one: followers read the new epoch after all that the backup holds.
_NEW_EPOCH: Final = b"""\
update bursar.economy
   set epoch = epoch + 1,
       system_identifier = (select system_identifier from pg_control_system());
"""

_SEALED: Final = "select exists (select from bursar.webhook_endpoints where removed_at is null)"

_UNKNOWN_BELOW_17: Final = b"SET transaction_timeout"


class Restored(msgspec.Struct, frozen=True):
    """What was restored; ``migrated`` are the numbers of the migrations applied after it.

    ``sealed`` is whether there are secrets in it that nobody can read without their key.
    """

    manifest: Manifest
    migrated: list[int]
    sealed: bool


def restore(
    file: Path, owner_url: str, *, replace: bool = False, postgres_bin: Path | None = None
) -> Restored:
    """Restore into an empty database, or with ``replace`` over what is there.

    The role of the service is made if it is missing, and the schema is migrated forward. Raises
    `Invalid` ``backup_unreadable``, `Rejected` ``database_not_empty``, ``database_in_use`` or
    ``schema_newer``, `Unavailable` ``restore_failed`` and what `migrate` does; the target is then
    as it was.
    """
    manifest = inspect(file)
    require_known(manifest, file)
    migrate(owner_url, target=0)  # the server is new enough, the role and the schema are there
    major = require_room(owner_url, replace=replace)
    programs = find_clients(max(major, manifest.major), postgres_bin)
    _load(programs, file, owner_url, major)
    applied = migrate(owner_url)
    with connected(owner_url) as connection:
        connection.execute("analyze")
        [[sealed]] = connection.execute(_SEALED).fetchall()
    return Restored(manifest, [migration.number for migration in applied], sealed)


def _load(programs: Programs, file: Path, owner_url: str, major: int) -> None:
    """Let pg_restore write the script and psql run it, between our beginning and our end.

    Only when pg_restore has read the whole file is the transaction committed.
    """
    conninfo, environment = without_password(owner_url)
    with tempfile.TemporaryFile() as said, tempfile.NamedTemporaryFile() as contents:
        contents.write(_contents(programs, file))
        contents.flush()
        reader = subprocess.Popen(
            [
                *(programs.path("pg_restore"), "--no-owner", f"--use-list={contents.name}"),
                *("--file=-", str(file)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            env={"LC_ALL": "C"},
        )
        writer = subprocess.Popen(
            [
                *(programs.path("psql"), "--no-psqlrc", "--quiet", "--no-password"),
                *("--set=ON_ERROR_STOP=1", "--file=-", f"--dbname={conninfo}"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env=environment,
        )
        with reader, writer:
            complete = _pump(reader, writer, major)
        if not complete or writer.returncode:
            said.seek(0)
            told = said.read().decode(errors="replace")
            what = "nothing was restored, the target is as it was"
            raise known_error(told, what) or Unavailable("restore_failed", f"{what}\n{words(told)}")


def _pump(reader: "subprocess.Popen[bytes]", writer: "subprocess.Popen[bytes]", major: int) -> bool:
    """Hand the script on; true when pg_restore wrote all of it and the commit was sent."""
    source, target = _pipe(reader.stdout), _pipe(writer.stdin)
    try:
        target.write(b"set client_min_messages = warning;\nbegin;\n" + _CLEAR)
        preamble = True
        for line in source:
            if preamble and major < 17 and line.startswith(_UNKNOWN_BELOW_17):
                continue
            preamble = preamble and not line.startswith((b"CREATE", b"COPY"))
            target.write(line)
        if reader.wait():
            return False
        target.write(_NEW_EPOCH + b"commit;\n")
    except BrokenPipeError:
        reader.kill()
        return False
    finally:
        with suppress(BrokenPipeError):
            target.close()
    return True


def _contents(programs: Programs, file: Path) -> bytes:
    """List what to restore: all but the schema, which is there."""
    listed = subprocess.run(
        [programs.path("pg_restore"), "--list", str(file)],
        check=True,
        capture_output=True,
        env={"LC_ALL": "C"},
    ).stdout
    lines = listed.splitlines(keepends=True)
    return b"".join(line for line in lines if b" SCHEMA - bursar " not in line or b" ACL " in line)


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # noqa: S101 - tells the type checker
    return stream
