"""What is in a backup: a plain archive of pg_dump's custom format, so that its own tools read it.

The manifest is read out of the archive itself: the migrations that the books had.
"""

import subprocess
from pathlib import Path
from typing import Final

import msgspec

from bursar.platform.backup.client import known_error, words
from bursar.platform.errors import Broken, Invalid, Rejected
from bursar.platform.migrations import SHIPPED
from bursar.platform.postgres.programs import Programs, find_clients

_NEEDED: Final = {"entries", "migrations", "postings", "wallets"}


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds; ``applied`` are the checksums of its migrations by number."""

    schema_version: int
    made_from: str
    made_by: str
    applied: dict[int, str]

    @property
    def major(self) -> int:
        """The major version of the pg_dump that wrote it."""
        return int(self.made_by.partition(".")[0])


def inspect(file: Path, programs: Programs | None = None) -> Manifest:
    """Read a backup's manifest; raises `Invalid` ``file_unusable`` or ``backup_unreadable``."""
    try:
        with file.open("rb") as opened:
            opened.read(1)
    except OSError as error:
        raise Invalid(
            "file_unusable", f"{file}: {error.strerror or error}", path=str(file)
        ) from error
    programs = programs or find_clients(newest=True)  # they read what all older ones wrote
    listed = _run(programs, file, "--list")
    names = {
        line.split(" bursar ")[1].split(" ")[0]
        for line in listed.splitlines()
        if " TABLE DATA bursar " in line
    }
    if not names >= _NEEDED:
        raise Invalid("backup_unreadable", f"{file} is a dump of something else", path=str(file))
    applied = _applied(_run(programs, file, "--data-only", "--table=migrations", "--file=-"))
    return Manifest(
        schema_version=max(applied, default=0),
        made_from=_header(listed, "Dumped from database version"),
        made_by=_header(listed, "Dumped by pg_dump version"),
        applied=applied,
    )


def require_known(manifest: Manifest, file: Path) -> None:
    """Refuse a backup of books that this program does not know, before anything is touched."""
    if manifest.schema_version > SHIPPED.latest:
        raise Rejected(
            "schema_newer",
            f"{file} has the schema {manifest.schema_version}, this program knows "
            f"{SHIPPED.latest}: install a newer release",
            version=manifest.schema_version,
            known=SHIPPED.latest,
        )
    for migration in SHIPPED.migrations:
        applied = manifest.applied.get(migration.number)
        if applied is not None and applied != migration.checksum:
            raise Broken(
                "migration_changed",
                f"{migration.file} is not the file that was applied to the books in {file}",
                file=migration.file,
                applied=applied,
                found=migration.checksum,
            )


def _run(programs: Programs, file: Path, *options: str) -> str:
    done = subprocess.run(
        [programs.path("pg_restore"), *options, str(file)],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env={"LC_ALL": "C"},
    )
    if done.returncode:
        what = f"{file} is no backup that can be read"
        raise known_error(done.stderr, what) or Invalid(
            "backup_unreadable", f"{what}\n{words(done.stderr)}", path=str(file)
        )
    return done.stdout


def _header(listed: str, name: str) -> str:
    """Read ``;     Dumped by pg_dump version: 18.6 (…)``."""
    _, _, value = listed.partition(f"{name}: ")
    return value.split("\n", 1)[0].split(" ")[0]


def _applied(script: str) -> dict[int, str]:
    """Read number and checksum of each migration out of the rows of ``bursar.migrations``."""
    rest = script.partition("COPY bursar.migrations (")[2]
    columns = rest.partition(")")[0].split(", ")
    rows = rest.partition("FROM stdin;\n")[2].partition("\n\\.")[0]
    if not rest or not {"number", "checksum"} <= set(columns):
        raise Invalid("backup_unreadable", "the backup does not say which schema it has")
    number, checksum = columns.index("number"), columns.index("checksum")
    cells = [row.split("\t") for row in rows.splitlines() if row]
    return {int(row[number]): row[checksum] for row in cells}
