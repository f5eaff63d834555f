"""Writing a file so that it is there whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from bursar.cli.errors import of_file
from bursar.platform.errors import Invalid


@contextmanager
def write_whole(file: Path) -> Iterator[TextIO]:
    """Write beside ``file``, and give it the name when the block has ended well; mode 0600."""
    if file.exists() and not file.is_file():
        raise Invalid("file_unusable", f"{file} is not a file", path=str(file))
    part: Path | None = None
    try:
        fd, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".part", dir=file.parent)
        part = Path(name)
        with os.fdopen(fd, "w", encoding="utf-8", newline="") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.rename(file)
    except OSError as error:
        raise of_file(error, file) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
