"""What the server said last, without secrets and without the noise of waiting (O1)."""

import re
from pathlib import Path

from bursar.platform.errors import BursarError, Invalid, Unavailable
from bursar.platform.postgres.directory import Layout, disk_full

_TAIL = 64 * 1024
_NOISE = re.compile(
    r"FATAL: +the database system is (starting up|not yet accepting|shutting down|in recovery)"
    r"|DETAIL: +(Consistent recovery state|Recovery snapshot)"
)
_SECRET = re.compile(r"(password|passwd|secret|SCRAM-SHA-256\$)\S*\s*[=:]?\s*\S+", re.IGNORECASE)


def last_lines(layout: Layout, since: float, count: int = 12) -> list[str]:
    """Read the last lines of the logs written since an instant (epoch seconds), oldest first."""
    files = [layout.log / "start.log", *layout.log.glob("server-*.log")]
    fresh = [file for file in files if file.is_file() and file.stat().st_mtime >= since - 1]
    fresh.sort(key=lambda file: file.stat().st_mtime)
    lines = [line for file in fresh for line in _tail(file)]
    return clean("\n".join(lines), count)


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
        message = f"{what}: a file in {layout.root} may not be written{shown}"
        return Invalid("data_dir_not_writable", message, path=str(layout.root), log=log)
    if "configuration file" in text or "unrecognized configuration parameter" in text:
        message = f"{what}: a setting is not accepted (operator.conf?){shown}"
        return Invalid("server_settings_invalid", message, path=str(layout.root), log=log)
    return Unavailable("server_died", f"{what}{shown}", path=str(layout.root), log=log)


def _tail(file: Path) -> list[str]:
    with file.open("rb") as stream:
        stream.seek(0, 2)
        stream.seek(max(0, stream.tell() - _TAIL))
        return stream.read().decode(errors="replace").splitlines()
