"""A pgbouncer in transaction mode before a throw-away server, if the machine has one."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from bursar.platform.postgres import Server

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")

SERVER_CONNECTIONS = 3
"""Few, so that a client's next transaction is often another session."""

_SETTINGS = """
[databases]
* = host={server.socket_dir} port={server.port}
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = {place}
auth_type = scram-sha-256
auth_file = {place}/users.txt
admin_users = {admin}
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 200
"""


class Pooler:
    """A running pgbouncer."""

    def __init__(self, place: Path, users: Mapping[str, str]) -> None:
        self._place = place
        self._users = users

    def url(self, user: str, database: str) -> str:
        """Lead a role to a database through it."""
        return make_conninfo(
            host=str(self._place),
            port=6432,
            user=user,
            password=self._users[user],
            dbname=database,
        )

    def reconnect(self) -> None:
        """Have it open new connections to the server."""
        admin = next(iter(self._users))
        with psycopg.connect(self.url(admin, "pgbouncer"), autocommit=True) as console:
            console.execute("RECONNECT")
            console.execute("WAIT_CLOSE")


@contextmanager
def pooler_before(server: Server, users: Mapping[str, str]) -> Iterator[Pooler]:
    """Run it as the server's own account; ``users`` are roles with their passwords."""
    assert PROGRAM is not None
    place = server.data_dir.parent / "pooler"
    place.mkdir()
    place.chmod(0o711)
    text = _SETTINGS.format(
        server=server, place=place, admin=next(iter(users)), size=SERVER_CONNECTIONS
    )
    (place / "settings.ini").write_text(text)
    listed = "".join(f'"{name}" "{password}"\n' for name, password in users.items())
    (place / "users.txt").write_text(listed)
    who = server.socket_dir.stat()
    ours = {} if os.geteuid() else {"user": who.st_uid, "group": who.st_gid, "extra_groups": []}
    for path in (place, *place.iterdir()):
        os.chown(path, who.st_uid, who.st_gid)
    process = subprocess.Popen(
        [PROGRAM, str(place / "settings.ini")],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        **ours,
    )
    try:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if "process up" in line:
                break
        else:
            raise AssertionError(f"pgbouncer did not start: {said}")
        yield Pooler(place, users)
    finally:
        process.kill()
        process.communicate()
        shutil.rmtree(place)
