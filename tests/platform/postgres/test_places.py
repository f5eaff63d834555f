"""Directories that are long, closed, full or not directories; accounts other than ours."""

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from bursar.platform.errors import BursarError, Invalid, Unavailable
from bursar.platform.postgres import status, stop
from bursar.platform.postgres.account import server_account
from bursar.platform.postgres.programs import find
from bursar.platform.settings import default_data_dir

is_root = os.geteuid() == 0
as_root = pytest.mark.skipif(not is_root, reason="only root starts it as another account")
as_user = pytest.mark.skipif(is_root, reason="root may write everywhere")


@contextmanager
def mounted(path: Path, options: str) -> Iterator[None]:
    """Mount a small file system in memory, where that is allowed."""
    path.mkdir()
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    if mount is None or unmount is None:
        pytest.skip("there is no mount program here")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", options, "tmpfs", str(path)], check=False, capture_output=True
    )
    if done.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    try:
        yield
    finally:
        subprocess.run([unmount, "-l", str(path)], check=False)


def test_a_path_too_long_for_a_socket_gets_a_private_short_one(yard: Any) -> None:
    data_dir = yard.made("d" * 100)
    server = yard.start(data_dir)
    where = server.socket_dir
    try:
        found = where.lstat()
        assert len(str(where)) < 60
        assert stat.S_ISDIR(found.st_mode)
        assert stat.S_IMODE(found.st_mode) == 0o700
        assert found.st_uid == (data_dir / "pgdata").stat().st_uid
        assert (data_dir / "socket_dir").read_text().strip() == str(where)
        assert yard.value(server.service_url, "select 1") == 1
        stop(data_dir)
        assert yard.start(data_dir).socket_dir == where
    finally:
        stop(data_dir)
        shutil.rmtree(where)


def test_a_squatted_socket_directory_is_not_used(yard: Any) -> None:
    data_dir = yard.made("d" * 100)
    where = yard.start(data_dir).socket_dir
    stop(data_dir)
    shutil.rmtree(where)
    where.symlink_to(yard.root)
    other = where
    try:
        server = yard.start(data_dir)
        other = server.socket_dir
        assert other != where
        assert other.name.startswith(where.name)
        assert yard.value(server.service_url, "select 1") == 1
    finally:
        stop(data_dir)
        where.unlink()
        shutil.rmtree(other)


@pytest.mark.parametrize("name", ['it\'s "a" dir%20 é $HOME', "a,b"])
def test_a_directory_with_odd_characters_in_its_name(yard: Any, name: str) -> None:
    data_dir = yard.made(name)
    server = yard.start(data_dir)
    assert yard.value(server.service_url, "select 1") == 1
    stop(data_dir)
    if server.socket_dir != data_dir / "run":
        shutil.rmtree(server.socket_dir)


def test_a_symbolic_link_to_the_directory_is_the_directory(yard: Any) -> None:
    data_dir = yard.made()
    link = yard.root / "link"
    link.symlink_to(data_dir)
    first = yard.start(link)
    assert first.data_dir == data_dir
    assert yard.start(data_dir).pid == first.pid


def test_a_file_in_place_of_the_directory_is_named(yard: Any) -> None:
    path = yard.fresh()
    path.write_text("")
    with pytest.raises(Invalid) as caught:
        yard.start(path)
    assert caught.value.code == "data_dir_invalid"
    assert caught.value.fields["path"] == str(path)


@as_user
def test_a_directory_we_may_not_write_is_named(yard: Any) -> None:
    closed = yard.root / "closed"
    closed.mkdir()
    closed.chmod(0o555)
    for data_dir in (closed, closed / "below"):
        with pytest.raises(Invalid) as caught:
            yard.start(data_dir)
        assert caught.value.code == "data_dir_not_writable"
        assert str(caught.value.fields["path"]).startswith(str(closed))


def test_a_read_only_file_system_is_named(yard: Any) -> None:
    with mounted(yard.root / "disk", "ro"):
        with pytest.raises(Invalid) as caught:
            yard.start(yard.root / "disk" / "data")
        assert caught.value.code == "data_dir_not_writable"


# Too small for initdb at two of its steps, and (with today's programs) for the database after it.
@pytest.mark.parametrize("size", ["24m", "36m", "40m"])
def test_a_full_disk_is_named_and_the_next_start_completes(yard: Any, size: str) -> None:
    disk = yard.root / "disk"
    with mounted(disk, f"size={size}"):
        data_dir = yard.fresh("disk/data")
        answer = yard.answer(yard.starter(data_dir))
        if size == "24m" or not answer.get("started"):
            assert answer["code"] == "disk_full"
            assert str(data_dir) in answer["message"]
        assert not (data_dir / "pgdata.new").exists()

        mount = shutil.which("mount")
        assert mount is not None
        subprocess.run([mount, "-o", "remount,size=300m", str(disk)], check=True)
        server = yard.start(data_dir)
        assert yard.value(server.service_url, "select 1") == 1
        stop(data_dir)

        filler = disk / "filler"
        _fill(filler)
        with pytest.raises(Unavailable) as caught:
            yard.start(data_dir)
        assert caught.value.code == "disk_full"
        filler.unlink()
        assert yard.start(data_dir).started
        stop(data_dir)


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(2**16))


@as_root
def test_root_gives_away_only_what_it_made(yard: Any) -> None:
    above = yard.root / "above"
    data_dir = yard.fresh("above/middle/data")
    old = os.umask(0o077)
    try:
        server = yard.start(data_dir)
    finally:
        os.umask(old)
    account = server_account()
    assert account.dropped
    assert yard.root.stat().st_uid == above.stat().st_uid == 0
    assert stat.S_IMODE(above.stat().st_mode) == 0o755
    assert {path.stat().st_uid for path in data_dir.rglob("*")} == {account.uid}
    assert Path(f"/proc/{server.pid}").stat().st_uid == account.uid


@as_root
def test_a_directory_that_was_there_keeps_its_owner_and_mode(yard: Any) -> None:
    data_dir = yard.fresh()
    data_dir.mkdir()
    data_dir.chmod(0o711)
    yard.start(data_dir)
    found = data_dir.stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (0, 0o711)


@as_root
def test_the_owner_of_the_data_is_who_the_server_runs_as(yard: Any) -> None:
    usual = server_account()
    owner = next(entry for entry in pwd.getpwall() if entry.pw_uid not in {0, usual.uid})
    data_dir = yard.fresh()
    data_dir.mkdir()
    os.chown(data_dir, owner.pw_uid, owner.pw_gid)
    server = yard.start(data_dir)
    assert Path(f"/proc/{server.pid}").stat().st_uid == owner.pw_uid
    assert stop(data_dir) is True


@as_root
def test_an_account_without_a_name_is_refused_before_anything_is_made(yard: Any) -> None:
    unused = max(entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid < 2**16 - 9) + 1
    data_dir = yard.fresh()
    data_dir.mkdir()
    os.chown(data_dir, unused, unused)
    with pytest.raises(Invalid) as caught:
        yard.start(data_dir)
    assert caught.value.code == "server_account_missing"
    assert not (data_dir / "pgdata.new").exists()


@as_root
def test_a_parent_the_account_may_not_enter_is_named(yard: Any) -> None:
    closed = yard.root / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(Invalid) as caught:
        yard.start(yard.fresh("closed/data"))
    assert caught.value.code == "data_dir_unreachable"
    assert caught.value.fields["path"] == str(closed)
    assert "BURSAR_DATA_DIR" in caught.value.message
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@as_root
def test_programs_the_account_may_not_reach_are_copied_once(yard: Any) -> None:
    original = find().bin.parent
    if original.name != "pginstall":
        pytest.skip("the wheel with the programs is not installed")
    closed = yard.root / "closed"
    closed.mkdir(mode=0o700)
    copy = closed / "site" / original.parent.name / original.name
    for part in ("bin", "lib", "share"):
        shutil.copytree(original / part, copy / part)
    libraries = original.parent.with_name(f"{original.parent.name}.libs")
    shutil.copytree(libraries, closed / "site" / libraries.name)
    data_dir = yard.fresh()
    for _ in range(2):
        server = yard.start(data_dir, postgres_bin=copy / "bin")
        command = Path(f"/proc/{server.pid}/cmdline").read_bytes()
        program = Path(os.fsdecode(command.split(b"\0")[0]))
        assert program.is_relative_to(data_dir / "programs")
        assert program.stat().st_uid == 0
        stop(data_dir)
    assert len(list((data_dir / "programs").iterdir())) == 1


def test_the_default_directory_is_one_the_server_can_reach() -> None:
    if is_root:
        assert default_data_dir({"XDG_DATA_HOME": "/srv/x"}) == Path("/var/lib/bursar")
    else:
        assert default_data_dir({"XDG_DATA_HOME": "/srv/x"}) == Path("/srv/x/bursar")


def test_status_of_nothing_makes_nothing(yard: Any) -> None:
    assert status(yard.root / "nowhere").state == "absent"
    assert not (yard.root / "nowhere").exists()


def test_programs_that_are_none_are_named(yard: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    data_dir = yard.fresh()
    with pytest.raises(BursarError) as caught:
        yard.start(data_dir, postgres_bin=yard.root)
    assert caught.value.code == "postgres_programs_invalid"
    monkeypatch.setenv("BURSAR_POSTGRES_BIN", str(yard.root))
    with pytest.raises(BursarError) as caught:
        yard.start(data_dir)
    assert caught.value.code == "postgres_programs_invalid"
