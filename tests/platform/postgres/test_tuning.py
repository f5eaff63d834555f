"""Settings follow the memory and the disk there are."""

from pathlib import Path

import pytest

from bursar.platform.postgres import tuning
from bursar.platform.postgres.tuning import GB, MB


@pytest.mark.parametrize(
    ("memory", "buffers"),
    [(256 * MB, "64MB"), (GB, "128MB"), (4 * GB, "512MB"), (64 * GB, "1024MB")],
)
def test_shared_buffers_are_an_eighth_within_bounds(memory: int, buffers: str) -> None:
    settings = tuning.server_settings(memory=memory, disk=100 * GB, lz4=False)
    assert settings["shared_buffers"] == buffers


@pytest.mark.parametrize(
    ("disk", "wal"), [(100 * GB, "4096MB"), (8 * GB, "1024MB"), (100 * MB, "64MB")]
)
def test_write_ahead_log_leaves_room_on_a_small_disk(disk: int, wal: str) -> None:
    settings = tuning.server_settings(memory=GB, disk=disk, lz4=False)
    assert settings["max_wal_size"] == wal


def test_lz4_compresses_the_log_where_it_is_built_in() -> None:
    for lz4, expected in ((True, "lz4"), (False, "off")):
        settings = tuning.server_settings(memory=GB, disk=GB, lz4=lz4)
        assert settings["wal_compression"] == expected


@pytest.mark.parametrize(
    ("own", "file", "text", "limit"),
    [
        ("0::/a/b", "memory.max", "1073741824", GB),
        ("0::/a/b", "a/memory.max", "1073741824", GB),
        ("0::/a/b", "a/b/memory.max", "max", None),
        ("4:cpu,memory:/a", "memory/a/memory.limit_in_bytes", "1073741824", GB),
        ("4:cpu:/a", "memory/a/memory.limit_in_bytes", "1073741824", None),
        ("0::/a", "memory.max", "9223372036854771712", None),
    ],
)
def test_a_control_group_limits_the_memory(
    tmp_path: Path, own: str, file: str, text: str, limit: int | None
) -> None:
    tree = tmp_path / "cgroup"
    (tree / file).parent.mkdir(parents=True, exist_ok=True)
    (tree / file).write_text(f"{text}\n")
    (tmp_path / "own").write_text(f"{own}\n")
    unlimited = tuning.machine_memory(tmp_path / "none", tmp_path / "none")
    found = tuning.machine_memory(tree, tmp_path / "own")
    assert found == (min(limit, unlimited) if limit else unlimited)


def test_values_are_quoted() -> None:
    assert tuning.render({"a.b": "it's \\ so"}).endswith("a.b = 'it''s \\\\ so'\n")
