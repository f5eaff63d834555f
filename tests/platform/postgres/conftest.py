"""Real servers in short-lived directories; whatever a test starts is stopped here."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bursar.platform.postgres import Server, process, start, stop

QUICK = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "20"}
ENOUGH = 2 * 2**30


def _base() -> Path:
    """Memory if there is plenty, because initdb syncs; short and open to every account."""
    memory = Path("/dev/shm")  # noqa: S108
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ENOUGH:
        return memory
    return Path("/tmp")  # noqa: S108


class Yard:
    """A place for data directories, and the things that tests do to what lives there."""

    quick = QUICK

    def __init__(self, root: Path, template: Path | None) -> None:
        self.root = root
        self._template = template
        self._children: list[subprocess.Popen[str]] = []
        self._dirs: list[Path] = []
        self._gates: list[Path] = []

    def fresh(self, name: str = "data") -> Path:
        """Name a directory that does not exist yet."""
        self._dirs.append(self.root / name)
        return self._dirs[-1]

    def made(self, name: str = "data") -> Path:
        """Copy a directory that has been started and stopped once."""
        assert self._template is not None
        copy = ["/bin/cp", "-a", str(self._template), str(self.root / name)]
        subprocess.run(copy, check=True)
        self._dirs.append(self.root / name)
        return self._dirs[-1]

    def start(self, data_dir: Path, **options: Any) -> Server:
        return start(data_dir, settings=QUICK, **{"wait_s": 60, **options})

    def client(self, script: str, *arguments: object) -> subprocess.Popen[str]:
        """Run Python in a process of its own, with `start` and the settings at hand."""
        head = f"import json, os, signal, sys\nfrom pathlib import Path\nQUICK = {QUICK!r}\n"
        head += "from bursar.platform.postgres import boot, cluster, directory, start, status\n"
        child = subprocess.Popen(
            [sys.executable, "-c", head + script, *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._children.append(child)
        return child

    def starter(self, data_dir: Path, **options: object) -> subprocess.Popen[str]:
        """Start in a process of its own; it prints what it got, or the code of the error."""
        script = (
            "from bursar.platform.errors import BursarError\n"
            "try:\n"
            f"    s = start(Path(sys.argv[1]), settings=QUICK, **{options!r})\n"
            "    print(json.dumps({'pid': s.pid, 'started': s.started}))\n"
            "except BursarError as error:\n"
            "    print(json.dumps({'code': error.code, 'message': error.message}))\n"
        )
        return self.client(script, data_dir)

    def answer(self, child: subprocess.Popen[str]) -> Any:
        out, _ = child.communicate(timeout=120)
        assert child.returncode == 0
        return json.loads(out)

    def wait_for(self, what: Callable[[], object], timeout_s: float = 60) -> Any:
        """Poll until something is so."""
        deadline = time.monotonic() + timeout_s
        while not (found := what()):
            assert time.monotonic() < deadline, "it did not come to pass"
            time.sleep(0.005)
        return found

    def kill(self, pid: int, number: signal.Signals = signal.SIGKILL) -> None:
        os.kill(pid, number)
        if number == signal.SIGKILL:
            self.wait_for(lambda: not process.is_alive(pid))

    def value(self, url: str, query: str) -> Any:
        with psycopg.connect(url, autocommit=True) as connection:
            row = connection.execute(query).fetchone()  # type: ignore[arg-type]
            assert row is not None
            return row[0]

    def slow_recovery(self, data_dir: Path) -> Path:
        """Crash the data so that recovery waits until the returned file exists."""
        go = data_dir / "run" / "go"
        server = self.start(data_dir)
        self.kill(server.pid)
        owner = data_dir.stat()
        signal_file = data_dir / "pgdata" / "recovery.signal"
        signal_file.touch()
        os.chown(signal_file, owner.st_uid, owner.st_gid)
        conf = data_dir / "operator.conf"
        self._gates.append(go)
        wait = f"while [ -d {go.parent} ] && [ ! -e {go} ]; do sleep 0.05; done; false"
        conf.write_text(f"restore_command = '{wait}'\n")
        conf.chmod(0o644)
        return go

    def close(self) -> None:
        for gate in self._gates:
            gate.touch()
        for child in self._children:
            if child.poll() is None:
                child.kill()
            child.communicate()
        for data_dir in self._dirs:
            with suppress(Exception):
                stop(data_dir, mode="immediate", wait_s=20)


def _yard_root() -> Path:
    root = Path(tempfile.mkdtemp(prefix="b-", dir=_base()))
    root.chmod(0o755)
    return root


@pytest.fixture(scope="session")
def template() -> Iterator[Path]:
    """One directory that went through a cold start, to copy from."""
    root = _yard_root()
    try:
        start(root / "data", settings=QUICK)
        stop(root / "data")
        yield root / "data"
    finally:
        with suppress(Exception):
            stop(root / "data", mode="immediate")
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def yard(template: Path) -> Iterator[Yard]:
    root = _yard_root()
    made = Yard(root, template)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(root, ignore_errors=True)
