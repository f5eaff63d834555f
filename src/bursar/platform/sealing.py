"""Sealing what must be read again and is nobody else's to read: secrets, and tokens in links.

The keys are Fernet's (AES-128-CBC with HMAC-SHA256) and never in the database: whoever has a backup
of it, or may read it, has no secret. The first key seals, all of them open, so that a key is
replaced without a gap: add the new one, put it first, seal again what is kept, drop the old one.

An embedded server's key is made beside its data, in ``secrets.key``. A backup of the database has
no key in it: keep the file as well, or what is sealed cannot be read after a restore elsewhere.
"""

import os
import re
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from bursar.platform.errors import Broken, Invalid, Rejected
from bursar.platform.postgres.directory import TEMPORARY, Layout, disk_errors, layout_of

VARIABLE: Final = "BURSAR_SECRETS_KEY"
KEY_FILE: Final = "secrets.key"

_KEY: Final = re.compile(r"[A-Za-z0-9_-]{43}=")
_LARGEST: Final = 4_096
_RESERVED: Final = "here belongs the key that sealed what was restored into this directory"


class Keyed(Protocol):
    """What `load_seal` asks of the settings."""

    @property
    def secrets_key(self) -> tuple[str, ...]:
        """Fernet keys; the first seals, all open."""


class Seal:
    """Seals and opens short texts; whoever has not the key can neither read nor make them."""

    __slots__ = ("_fernet",)

    def __init__(self, keys: Sequence[str]) -> None:
        """Take the keys; raises `Invalid` ``setting_invalid`` for what is none, not showing it."""
        if not keys:
            raise _malformed("must have a key")
        for number, key in enumerate(keys, 1):
            check_key(key, number)
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, clear: bytes) -> bytes:
        """Seal with the first key: base64url, fit for a link; the same text never seals twice."""
        return self._fernet.encrypt(clear)

    def open(self, sealed: bytes) -> bytes:
        """Open what one of the keys has sealed.

        Raises `Broken` ``secret_unreadable`` for what another key has sealed, or what was changed.
        """
        try:
            return self._fernet.decrypt(sealed)
        except (InvalidToken, TypeError):
            raise _unreadable() from None

    def again(self, sealed: bytes) -> bytes:
        """Seal with the first key what any has sealed; raises what `open` does."""
        try:
            return self._fernet.rotate(sealed)
        except (InvalidToken, TypeError):
            raise _unreadable() from None


def new_key() -> str:
    """Make a key, as the setting has it."""
    return Fernet.generate_key().decode()


def check_key(key: str, number: int = 1) -> None:
    """Refuse what is no key; raises `Invalid` ``setting_invalid``, which does not show it."""
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise _malformed(f"key {number} is none: 32 bytes in base64url are 43 characters and =")


def load_seal(settings: Keyed, data_dir: Path | None) -> Seal:
    """Make the seal of an installation.

    The setting's keys are all that counts where there are any; else an embedded server has its file
    in ``data_dir``, made here if need be. Raises `Rejected` ``secrets_key_missing`` elsewhere and
    ``secrets_key_awaited`` after a restore, `Invalid` ``setting_invalid``, and what a disk says.
    """
    if settings.secrets_key:
        return Seal(settings.secrets_key)
    if data_dir is None:
        raise Rejected(
            "secrets_key_missing",
            f"secrets cannot be kept without a key: set {VARIABLE} to one, the same in all "
            "processes; 32 random bytes in base64url are one",
        )
    layout = layout_of(data_dir)
    path = layout.root / KEY_FILE
    with disk_errors(path):
        try:
            text = _read(path)
        except FileNotFoundError:
            _put(layout, path, new_key())
            text = _read(path)
    if text == _RESERVED:
        raise Rejected(
            "secrets_key_awaited",
            f"the key that sealed what was restored is awaited: put its {KEY_FILE} into the data "
            f"directory, or set {VARIABLE}; if it is lost for good, remove the file that is there",
        )
    if not _KEY.fullmatch(text):
        raise Invalid(
            "setting_invalid",
            f"{path} is no key: bring back the one that was there when secrets were sealed, or set "
            f"{VARIABLE}; if it is lost for good, remove the file",
            setting=VARIABLE,
            path=str(path),
        )
    return Seal((text,))


def reserve_key(data_dir: Path) -> bool:
    """Keep the place of the key that sealed what was restored: none is made until it is there.

    Says so in the file, unless a key is there already, which is left alone; tells whether one is
    awaited, after a second restore as well.
    """
    layout = layout_of(data_dir)
    with disk_errors(layout.root):
        return _put(layout, layout.root / KEY_FILE, _RESERVED) or not has_key(data_dir)


def has_key(data_dir: Path) -> bool:
    """Tell whether an embedded server has its file, a kept place aside; it is not made here."""
    layout = layout_of(data_dir)
    path = layout.root / KEY_FILE
    with disk_errors(layout.root):
        if not path.exists():
            return False
    with suppress(OSError):  # what cannot be read is there, and told of by who needs it
        return _read(path) != _RESERVED
    return True


def _unreadable() -> Broken:
    return Broken(
        "secret_unreadable",
        "a secret is damaged, or sealed with a key that is not here; add that key to "
        f"{VARIABLE} (an embedded server's is in {KEY_FILE})",
    )


def _malformed(what: str) -> Invalid:
    return Invalid("setting_invalid", f"{VARIABLE} {what}", setting=VARIABLE)


def _read(path: Path) -> str:
    """Read the file's key; a link in its place is refused, for the directory may be another's."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return ""
        return file.read(_LARGEST).decode("ascii", errors="replace").strip()


def _put(layout: Layout, path: Path, text: str) -> bool:
    """Make the file whole, then name it, unless another process was quicker: there is one key.

    A link never replaces what is there, as a rename would. Tells whether it is ours.
    """
    fd, name = tempfile.mkstemp(prefix=TEMPORARY, dir=layout.root)
    made = Path(name)
    try:
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        layout.give(made)
        try:
            path.hardlink_to(made)
        except FileExistsError:
            return False
        layout.sync()
        return True
    finally:
        made.unlink(missing_ok=True)
