"""What the server said last, without secrets and without the noise of waiting (O1)."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from bursar.platform.errors import BursarError, Invalid, Unavailable
from bursar.platform.postgres.directory import Layout, disk_full

_TAIL = 64 * 1024
_NOISE = re.compile(
    r"FATAL: +the database system is (starting up|not yet accepting|shutting down|in recovery)"
    r"|DETAIL: +(Consistent recovery state|Recovery snapshot)"
)
_SECRET = re.compile(r"(password|passwd|secret|SCRAM-SHA-256\$)\S*\s*[=:]?\s*\S+", re.IGNORECASE)


def sizes(layout: Layout) -> dict[Path, int]:
    """Remember how long the logs are, to tell later what is new."""
    return {file: file.stat().st_size for file in layout.log.glob("server-*.log")}


def last_lines(layout: Layout, before: Mapping[Path, int], count: int = 12) -> list[str]:
    """Read the last lines that were written since `sizes`, the server's first words first."""
    files = [layout.log / "start.log", *layout.log.glob("server-*.log")]
    texts = [_tail(file, before.get(file, 0)) for file in files if file.is_file()]
    return clean("\n".join(texts), count)


def read_tree(directory: Path) -> str:
    """Read the ends of all logs below a directory, oldest first."""
    files = sorted(directory.rglob("*.log"), key=lambda file: file.stat().st_mtime)
    return "\n".join(_tail(file) for file in files)


def clean(text: str, count: int = 12) -> list[str]:
    """Keep the last lines that say something, with anything like a password blotted out."""
    kept = [line.rstrip() for line in text.splitlines() if line.strip()]
    kept = [line for line in kept if not _NOISE.search(line)]
    return [_SECRET.sub(r"\1 ***", line) for line in kept[-count:]]


def explain(what: str, layout: Layout, log: list[str]) -> BursarError:
    """Choose the error that fits what the server or one of its programs wrote before it ended."""
    text = "\n".join(log)
    shown = "".join(f"\n  {line}" for line in log)
    if "No space left on device" in text or "Disk quota exceeded" in text:
        return disk_full(layout.root, log)
    if "Permission denied" in text or "Read-only file system" in text:
        message = f"{what}: a file in {layout.root} may not be read or written{shown}"
        return Invalid("data_dir_not_writable", message, path=str(layout.root), log=log)
    if "configuration file" in text or "unrecognized configuration parameter" in text:
        message = f"{what}: a setting is not accepted (operator.conf?){shown}"
        return Invalid("server_settings_invalid", message, path=str(layout.root), log=log)
    return Unavailable("server_died", f"{what}{shown}", path=str(layout.root), log=log)


def _tail(file: Path, since: int = 0) -> str:
    with file.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        begin = since if since <= size else 0  # a rotation has emptied it
        stream.seek(max(begin, size - _TAIL))
        return stream.read().decode(errors="replace")
