"""Settings for a ledger's server on the machine it finds (O1, O5).

Durable first: nothing here trades a committed entry for speed. Memory follows what the process may
really use (control groups included), write-ahead log follows the size of the disk.
"""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from bursar.platform.errors import Invalid

MB = 2**20
GB = 2**30
_NAME = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")


def server_settings(*, memory: int, disk: int, lz4: bool) -> dict[str, str]:
    """Choose the settings for so many bytes of memory and of disk."""
    wal = _clamp(disk // 8, 64 * MB, 4 * GB)
    return {
        "listen_addresses": "",
        "port": "5432",
        "unix_socket_permissions": "0700",
        "password_encryption": "scram-sha-256",
        "max_connections": "200",
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "shared_buffers": _megabytes(_clamp(memory // 8, 64 * MB, GB)),
        "effective_cache_size": _megabytes(_clamp(memory // 2, 128 * MB, 64 * GB)),
        "maintenance_work_mem": _megabytes(_clamp(memory // 16, 64 * MB, 512 * MB)),
        "work_mem": _megabytes(_clamp(memory // 1024, 4 * MB, 16 * MB)),
        "max_wal_size": _megabytes(wal),
        "min_wal_size": _megabytes(max(32 * MB, min(wal // 4, 512 * MB))),
        "checkpoint_timeout": "15min",
        "wal_compression": "lz4" if lz4 else "off",
        "random_page_cost": "1.1",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",
        "logging_collector": "on",
        "log_directory": "../log",
        "log_filename": "server-%a.log",
        "log_file_mode": "0600",
        "log_truncate_on_rotation": "on",
        "log_rotation_age": "1d",
        "log_rotation_size": "0",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        "cluster_name": "bursar",
    }


def render(settings: Mapping[str, str]) -> str:
    """Write settings as a configuration file; raises `Invalid` ``server_settings_invalid``."""
    lines = ["# Written by Bursar at each start. Yours go into operator.conf, which is read last."]
    for name, value in settings.items():
        if not _NAME.fullmatch(name) or not value.isprintable():
            raise Invalid(
                "server_settings_invalid", f"not a setting of PostgreSQL: {name}", setting=name
            )
        escaped = value.replace("\\", "\\\\").replace("'", "''")
        lines.append(f"{name} = '{escaped}'")
    return "\n".join(lines) + "\n"


def machine_memory(
    cgroups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> int:
    """Bytes of memory we may use: the machine's, or less if a control group says so."""
    installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([installed, *_limits(cgroups, own)])


def disk_size(path: Path) -> int:
    """Bytes of the file system that holds the data."""
    return shutil.disk_usage(path).total


def _limits(cgroups: Path, own: Path) -> Iterator[int]:
    """Every limit on the way from our control group up to the root, versions 1 and 2."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        lines = ["0::/"]
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:
            base, name = cgroups, "memory.max"
        elif "memory" in controllers.split(","):
            base, name = cgroups / "memory", "memory.limit_in_bytes"
        else:
            continue
        here = base / group.lstrip("/")
        for directory in [here, *here.parents]:
            if directory != base and base not in directory.parents:
                break
            try:
                text = (directory / name).read_text().strip()
            except OSError:
                continue
            if text.isdigit() and int(text) > 0:
                yield int(text)


def _clamp(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


def _megabytes(count: int) -> str:
    return f"{count // MB}MB"
