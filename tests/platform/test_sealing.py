"""What is sealed can be read with its key and with no other; an embedded server has a key (N3)."""

import os
import re
import stat
import subprocess
import sys
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

import pytest

from bursar.platform.errors import Broken, Invalid, Rejected
from bursar.platform.sealing import KEY_FILE, Seal, has_key, load_seal, new_key, reserve_key


@dataclass(frozen=True)
class Told:
    """Settings that say no more than the keys."""

    secrets_key: tuple[str, ...] = ()


def test_what_is_sealed_opens_again_and_does_not_show_what_it_is() -> None:
    seal = Seal((new_key(),))
    sealed = seal.seal(b"whsec_abc")
    assert seal.open(sealed) == b"whsec_abc"
    assert b"whsec" not in sealed
    assert re.fullmatch(rb"[A-Za-z0-9_=-]+", sealed), "fit for a link"
    assert seal.seal(b"whsec_abc") != sealed


def test_another_key_opens_nothing() -> None:
    sealed = Seal((new_key(),)).seal(b"x")
    with pytest.raises(Broken) as caught:
        Seal((new_key(),)).open(sealed)
    assert caught.value.code == "secret_unreadable"


def test_the_first_key_seals_and_all_open() -> None:
    old, new = new_key(), new_key()
    before = Seal((old,)).seal(b"before")
    both = Seal((new, old))
    assert both.open(before) == b"before"
    assert Seal((new,)).open(both.seal(b"after")) == b"after"


@pytest.mark.parametrize("damage", [b"", b"gAAAAA", b"\xff\x00", "ä".encode()])
def test_what_is_damaged_is_said_to_be_so(damage: bytes) -> None:
    with pytest.raises(Broken) as caught:
        Seal((new_key(),)).open(damage)
    assert caught.value.code == "secret_unreadable"


def test_one_changed_byte_is_noticed() -> None:
    seal = Seal((new_key(),))
    sealed = bytearray(seal.seal(b"0123456789"))
    sealed[20] ^= 1
    with pytest.raises(Broken):
        seal.open(bytes(sealed))


BYTES = b"\xfb" * 32


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "secret",
        urlsafe_b64encode(b"x" * 31).decode(),
        urlsafe_b64encode(b"x" * 33).decode(),
        b64encode(BYTES).decode(),  # + and / are another alphabet's
        urlsafe_b64encode(BYTES).decode() + "\n",
        "ä" * 43 + "=",
    ],
)
def test_a_malformed_key_is_refused_and_not_shown(bad: str) -> None:
    with pytest.raises(Invalid) as caught:
        Seal((new_key(), bad))
    assert caught.value.code == "setting_invalid"
    assert "key 2" in caught.value.message
    assert not bad or bad not in str(caught.value) + str(caught.value.fields)


def test_no_key_is_no_seal() -> None:
    with pytest.raises(Invalid):
        Seal(())


def test_a_seal_does_not_show_its_keys() -> None:
    key = new_key()
    assert key not in repr(Seal((key,)))


# --- where the key comes from ----------------------------------------------------------------


def test_the_settings_keys_are_all_that_counts(tmp_path: Path) -> None:
    key = new_key()
    sealed = load_seal(Told((key,)), tmp_path).seal(b"x")
    assert Seal((key,)).open(sealed) == b"x"
    assert not (tmp_path / KEY_FILE).exists()


def test_elsewhere_than_beside_a_server_of_ours_a_key_must_be_set() -> None:
    with pytest.raises(Rejected) as caught:
        load_seal(Told(), None)
    assert caught.value.code == "secrets_key_missing"


def test_an_embedded_server_has_its_key_in_a_file_of_its_own(tmp_path: Path) -> None:
    sealed = load_seal(Told(), tmp_path).seal(b"x")
    path = tmp_path / KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    made = path.read_bytes()
    assert load_seal(Told(), tmp_path).open(sealed) == b"x"
    assert path.read_bytes() == made
    assert [found.name for found in tmp_path.iterdir()] == [KEY_FILE]


def test_a_damaged_key_file_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / KEY_FILE
    path.write_text("half a key")
    with pytest.raises(Invalid) as caught:
        load_seal(Told(), tmp_path)
    assert caught.value.code == "setting_invalid"
    assert "half a key" not in str(caught.value)
    assert path.read_text() == "half a key"


def test_a_place_that_is_kept_for_a_key_takes_no_other(tmp_path: Path) -> None:
    assert reserve_key(tmp_path)
    assert reserve_key(tmp_path), "it is awaited still"
    assert not has_key(tmp_path)
    with pytest.raises(Rejected, match="what was restored is awaited") as caught:
        load_seal(Told(), tmp_path)
    assert caught.value.code == "secrets_key_awaited"
    assert str(tmp_path) not in caught.value.message, "it is also told to who follows a link"
    key = new_key()
    (tmp_path / KEY_FILE).write_text(key)
    assert has_key(tmp_path)
    assert not reserve_key(tmp_path)
    assert Seal((key,)).open(load_seal(Told(), tmp_path).seal(b"x")) == b"x"


def test_a_link_in_the_place_of_the_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").write_text(new_key())
    (tmp_path / KEY_FILE).symlink_to(tmp_path / "other")
    with pytest.raises(Invalid):
        load_seal(Told(), tmp_path)


def test_a_pipe_in_the_place_of_the_key_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / KEY_FILE)
    with pytest.raises(Invalid):
        load_seal(Told(), tmp_path)


def test_a_directory_that_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        load_seal(Told(), tmp_path / "nowhere")
    assert caught.value.code == "data_dir_invalid"


_RACER = """
import sys
from pathlib import Path
from types import SimpleNamespace
from bursar.platform.sealing import load_seal
sys.stdin.readline()
print(load_seal(SimpleNamespace(secrets_key=()), Path(sys.argv[1])).seal(b"x").decode())
"""


def test_processes_that_race_agree_on_one_key(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", _RACER, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    sealed = [racer.communicate()[0].strip() for racer in racers]
    seal = load_seal(Told(), tmp_path)
    assert [seal.open(text.encode()) for text in sealed] == [b"x"] * 4
    assert [found.name for found in tmp_path.iterdir()] == [KEY_FILE]
