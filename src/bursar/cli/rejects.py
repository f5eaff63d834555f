"""The rejects file of an import: the rows that are to be mended, with their lines and reasons."""

import csv
import os
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from bursar.cli.errors import of_file
from bursar.holders import Reject
from bursar.platform.errors import Invalid, Rejected


class Rejects:
    """Made with the first rejected row, for its owner's eyes only; a file that is there stays.

    Of CSV it is CSV, ``line`` and ``reason`` before the columns of the file, so that it can be
    mended and imported under the same plan; of JSON Lines an object with the text of the line. If
    the import fails it is removed, unless it was the rejected rows that made it fail.
    """

    def __init__(self, path: Path, delimiter: str) -> None:
        self.path = path
        self.count = 0
        self._delimiter = delimiter
        self._columns: Sequence[str] | None = None
        self._file: TextIOWrapper | None = None
        self._csv: Any = None
        if path.exists() or path.is_symlink():
            raise Invalid(
                "file_exists", f"{path} is there already: move it, or name another", path=str(path)
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._file is None:
            return
        try:
            self._file.close()
        except OSError as error:
            raise of_file(error, self.path) from error
        finally:
            if error_type not in {None, Rejected}:
                self.path.unlink(missing_ok=True)

    def columns(self, names: Sequence[str] | None) -> None:
        """Learn the columns of the file; None in JSON Lines."""
        self._columns = names

    def add(self, reject: Reject) -> None:
        """Write one row."""
        self.count += 1
        try:
            file = self._file or self._open()
            if self._columns is None:
                file.write(msgspec.json.encode(reject).decode() + "\n")
            else:
                self._csv.writerow([reject.line, reject.reason, *reject.row])
        except OSError as error:
            raise of_file(error, self.path) from error

    def _open(self) -> TextIOWrapper:
        try:
            fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise Invalid(
                "file_exists", f"{self.path} is there already", path=str(self.path)
            ) from None
        self._file = file = open(fd, "w", encoding="utf-8", newline="")  # noqa: PTH123, SIM115
        if self._columns is not None:
            self._csv = csv.writer(file, delimiter=self._delimiter)
            self._csv.writerow(["line", "reason", *self._columns])
        return file
