"""Reading rows from CSV and JSON Lines, one line in memory at a time.

What makes the whole file unreadable (its encoding, its header) is raised; what is wrong with one
row is a `Problem`, and reading goes on after it.
"""

import codecs
import csv
from collections.abc import Iterator, Sequence
from decimal import Decimal
from operator import itemgetter
from typing import Any, BinaryIO, Final, NamedTuple

import msgspec

from bursar.holders.importing.import_plan import ROW, ImportPlan
from bursar.platform.errors import Invalid

MAX_LINE: Final = 65_536
MAX_COLUMNS: Final = 1_000
_BOM: Final = b"\xef\xbb\xbf"
_WIDE_BOMS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SAMPLE: Final = '"\r\n,'


class Problem(NamedTuple):
    """What is wrong with a row."""

    text: str


Row = tuple[int, Any, Sequence[Any] | Problem]
"""A row's line, what stood there, and at least the cells asked for in their order, or what is
wrong."""


class Lines:
    """A file's lines, decoded and counted; ``done`` says how many bytes were read."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._encoding = _sound_encoding(encoding)
        self.number = 0
        self.done = 0
        self.too_long: list[int] = []

    def __iter__(self) -> Iterator[str]:
        read, encoding = self._stream.readline, self._encoding
        while raw := read(MAX_LINE + 1):
            self.number += 1
            self.done += len(raw)
            if self.number == 1:
                raw = _without_bom(raw)
            if len(raw) > MAX_LINE and not raw.endswith(b"\n"):
                self.too_long.append(self.number)
                while raw and not raw.endswith(b"\n"):
                    raw = read(MAX_LINE)
                    self.done += len(raw)
                continue
            try:
                yield raw.decode(encoding)
            except UnicodeDecodeError as error:
                raise Invalid(
                    "import_encoding",
                    f"line {self.number} is not {encoding} (byte {error.start + 1}): "
                    "say which encoding the file has",
                    line=self.number,
                    encoding=encoding,
                ) from None


class CsvRows:
    """The rows of a CSV file; the header is read at once."""

    def __init__(self, lines: Lines, plan: ImportPlan) -> None:
        self._lines = lines
        self._reader = csv.reader(iter(lines), delimiter=plan.delimiter, strict=True)
        self.names = self._header()

    def _header(self) -> list[str]:
        try:
            names = [name.strip() for name in next(self._reader, [])]
        except csv.Error as error:
            raise _bad_header(f"cannot be read: {error}") from None
        if self._lines.too_long or len(names) > MAX_COLUMNS:
            most = f"{MAX_LINE:,} bytes or {MAX_COLUMNS:,} columns"
            raise _bad_header(f"is longer than {most}")
        if not any(names):
            raise Invalid("file_empty", "there is no header in the file; nothing was imported")
        return names

    def rows(self, sources: Sequence[str | None]) -> Iterator[Row]:
        """Read the rows with the cells of these columns; None is a column that is always empty."""
        empty = len(self.names)  # behind the last column stand an empty cell and the row's number
        pick = itemgetter(*(self._place(source) for source in sources), empty)
        width, lines, reader = len(self.names), self._lines, self._reader
        count = 0
        while True:
            line = lines.number + 1
            try:
                cells = next(reader)
            except StopIteration:
                yield from self._skipped()
                return
            except csv.Error as error:
                upto = "" if line >= lines.number else f", up to line {lines.number}"
                yield line, [], Problem(f"is not CSV: {error}{upto}")
                continue
            if lines.too_long:
                yield from self._skipped()
            if not cells:
                continue
            count += 1
            if len(cells) != width:
                yield line, cells, Problem(f"has {len(cells)} columns, the header has {width}")
                continue
            yield line, cells, pick([*cells, "", str(count)])

    def _place(self, source: str | None) -> int:
        """Find a column."""
        if source is None:
            return len(self.names)
        if source == ROW:
            return len(self.names) + 1
        match self.names.count(source):
            case 1:
                return self.names.index(source)
            case 0:
                known = ", ".join(self.names[:20])
                raise _bad_header(f"has no column {source!r}; it has {known}"[:1000])
            case _:
                raise _bad_header(f"has several columns {source!r}")

    def _skipped(self) -> Iterator[Row]:
        while self._lines.too_long:
            yield self._lines.too_long.pop(0), [], _too_long()


class JsonRows:
    """The rows of a JSON Lines file: one object a line, its columns are its names."""

    names: None = None

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._decode = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode

    def rows(self, sources: Sequence[str | None]) -> Iterator[Row]:
        """Read the rows; a column that no row has at all is an error at the end."""
        lines = self._lines
        keys = [source or "" for source in sources]
        unseen = {key for key in keys if key not in {"", ROW}}
        count = 0
        for text in lines:
            yield from self._skipped()
            if text.isspace():
                continue
            count += 1
            try:
                shape = self._decode(text)
            except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
                yield lines.number, text.rstrip(), Problem(f"is no JSON object: {error}")
                continue
            if unseen:
                unseen -= shape.keys()
            shape[ROW] = str(count)
            shape[""] = ""
            yield lines.number, text.rstrip(), [shape.get(key, "") for key in keys]
        yield from self._skipped()
        if unseen and count:
            raise _bad_header(f"has no column {min(unseen)!r} in any line")

    def _skipped(self) -> Iterator[Row]:
        while self._lines.too_long:
            yield self._lines.too_long.pop(0), "", _too_long()


def _too_long() -> Problem:
    return Problem(f"is longer than {MAX_LINE:,} bytes")


def _bad_header(problem: str) -> Invalid:
    return Invalid("import_header", f"the header {problem}; nothing was imported")


def _without_bom(raw: bytes) -> bytes:
    if raw.startswith(_WIDE_BOMS):
        raise Invalid(
            "import_encoding", "the file is UTF-16: save it as UTF-8 first", line=1, encoding=""
        )
    return raw.removeprefix(_BOM)


def _sound_encoding(encoding: str) -> str:
    """Refuse an encoding that is none, or in which a line's end is not a byte."""
    try:
        if _SAMPLE.encode(encoding) == _SAMPLE.encode("ascii"):
            return encoding
    except (LookupError, ValueError):
        pass
    raise Invalid(
        "import_encoding",
        f"{encoding!r} is no encoding that can be read line by line: save the file as UTF-8 first",
        line=0,
        encoding=encoding,
    )
