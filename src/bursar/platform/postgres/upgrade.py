"""Moving the data up to a newer major version of PostgreSQL with pg_upgrade (O1).

The new cluster is made beside the old one from copied files. Only when it is complete do the two
change names, and only when it has started does the old one stop being ``pgdata.before``:

    pgdata (old) ── pg_upgrade ──> pgdata.new
    pgdata       ── rename ──────> pgdata.before      killed here: the next start renames it back
    pgdata.new   ── rename ──────> pgdata             killed here: the next start verifies
    pgdata.before ─ rename ──────> pgdata.old-15      kept; remove it when you trust the new one
"""

import re
import subprocess
import time
from pathlib import Path

import msgspec

from bursar.platform.errors import BursarError, Invalid, Missing, Rejected, Unavailable
from bursar.platform.postgres import boot, cluster
from bursar.platform.postgres.directory import (
    TEMPORARY,
    Layout,
    disk_errors,
    prepare,
    remove_tree,
    server_lock_held,
    start_lock,
)
from bursar.platform.postgres.process import running_pid
from bursar.platform.postgres.programs import Programs, examine, find, find_major, reachable
from bursar.platform.postgres.server import Server, finish, stop


class Upgraded(msgspec.Struct, frozen=True):
    """The running server of the new version, and where the old data is kept."""

    server: Server
    old_version: str
    old_data: Path


def upgrade(
    data_dir: Path,
    *,
    new_bin: Path | None = None,
    old_bin: Path | None = None,
    wait_s: float = 3600,
) -> Upgraded:
    """Upgrade a stopped directory and start it; the old data stays beside the new.

    ``new_bin`` defaults to what `start` would use, ``old_bin`` to programs of the old version found
    on the machine. Needs as much free space as the data takes. Whatever fails leaves the old data
    in place and usable.

    Raises `Rejected` ``server_running``, ``upgrade_not_needed`` or ``upgrade_not_verified``,
    `Missing` ``postgres_programs_missing`` for the old version, `Unavailable` ``disk_full`` or
    ``upgrade_failed`` with pg_upgrade's last words.
    """
    deadline = time.monotonic() + wait_s
    layout = prepare(data_dir)
    with start_lock(layout, deadline) as lock, disk_errors(layout.root):
        if running_pid(layout.pgdata) is not None or server_lock_held(layout):
            raise Rejected(
                "server_running", f"stop the server in {layout.root} first", path=str(layout.root)
            )
        cluster.recover_names(layout)
        if layout.before.exists():
            raise Rejected(
                "upgrade_not_verified",
                f"start the server in {layout.root} once, to verify the upgrade before this one",
                path=str(layout.root),
            )
        old, new = _programs(layout, old_bin, new_bin)
        credentials = cluster.load_credentials(layout)
        _settle(layout, credentials, old, deadline)
        cluster.initdb(layout, new, lock)
        _pg_upgrade(layout, credentials, old, new, lock)
        layout.rename(layout.pgdata, layout.before)
        layout.rename(layout.new, layout.pgdata)
        return _verify(layout, credentials, old, new, deadline)


def _programs(layout: Layout, old_bin: Path | None, new_bin: Path | None) -> tuple[Programs, ...]:
    """Find both installations and check that they fit the data."""
    major = cluster.data_major(layout.pgdata)
    if major is None:
        raise Missing("data_missing", f"there is no data in {layout.root}", path=str(layout.root))
    new = find(new_bin)
    if new.major <= major:
        raise Rejected(
            "upgrade_not_needed",
            f"the data is PostgreSQL {major} and the programs in {new.bin} are {new.version}",
            data_major=major,
            program_major=new.major,
        )
    old = examine(old_bin) if old_bin else find_major(major)
    if old is None:
        raise Missing(
            "postgres_programs_missing",
            f"the programs of PostgreSQL {major} are needed to read the old data; give the "
            "directory that holds them",
            data_major=major,
        )
    if old.major != major:
        raise Invalid(
            "postgres_programs_invalid",
            f"the data is PostgreSQL {major}, and the programs in {old.bin} are {old.version}",
            data_major=major,
            program_major=old.major,
        )
    return reachable(old, layout), reachable(new, layout)


def _settle(
    layout: Layout, credentials: cluster.Credentials, old: Programs, deadline: float
) -> None:
    """Give pg_upgrade what it demands: a cleanly closed cluster and settings both sides know."""
    boot.write_settings(layout, old, {}, lz4=False)
    if not _closed(layout, old):
        boot.bring_up(layout, credentials, lambda: old, deadline)
        stop(layout.root, wait_s=max(1.0, deadline - time.monotonic()))


def _closed(layout: Layout, old: Programs) -> bool:
    """Tell whether the old cluster was shut down in order."""
    said = subprocess.run(
        [old.path("pg_controldata"), "-D", str(layout.pgdata)],
        check=False,
        capture_output=True,
        text=True,
        env=cluster.environment(),
        cwd=layout.run,
        **layout.account.popen(),
    ).stdout
    return re.search(r"^Database cluster state:\s+shut down$", said, re.MULTILINE) is not None


def _pg_upgrade(
    layout: Layout, credentials: cluster.Credentials, old: Programs, new: Programs, lock: int
) -> None:
    """Run pg_upgrade in copying mode; the password goes by a file that only its account reads."""
    passwords = layout.root / f"{TEMPORARY}pgpass"
    try:
        layout.write_file(passwords, f"*:*:*:{cluster.OWNER}:{credentials.owner}\n")
        cluster.run_program(
            layout,
            new,
            [
                *("pg_upgrade", "-U", cluster.OWNER, "-s", str(boot.socket_dir(layout))),
                *("-b", str(old.bin), "-B", str(new.bin)),
                *("-d", str(layout.pgdata), "-D", str(layout.new)),
            ],
            lock,
            PGPASSFILE=str(passwords),
        )
    except Unavailable as error:
        remove_tree(layout.new)
        code = "upgrade_failed" if error.code == "server_died" else error.code
        raise Unavailable(code, error.message, **error.fields) from error
    finally:
        passwords.unlink(missing_ok=True)
        # It would delete what is called pgdata, which is the new data in a moment.
        (layout.run / "delete_old_cluster.sh").unlink(missing_ok=True)


def _verify(
    layout: Layout,
    credentials: cluster.Credentials,
    old: Programs,
    new: Programs,
    deadline: float,
) -> Upgraded:
    """Start the new cluster; if it does not come up, the old one gets its name back."""

    def arm() -> Programs:
        boot.write_settings(layout, new, {})
        return new

    try:
        up = boot.bring_up(layout, credentials, arm, deadline)
    except BursarError:
        stop(layout.root, mode="immediate")
        layout.rename(layout.pgdata, layout.new)
        layout.rename(layout.before, layout.pgdata)
        raise
    kept = cluster.close_upgrade(layout) or layout.root
    return Upgraded(finish(layout, credentials, up), old.version, kept)
