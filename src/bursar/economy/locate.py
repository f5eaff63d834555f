"""On which line of a TOML text each key stands. Pure.

The parser of the standard library does not tell. The text must be one that it accepts: this only
walks over it. What stands in an inline table or an array is on the line of its key.
"""

import re
from typing import Final

Path = tuple[str, ...]

_PART: Final = re.compile(
    r"""[ \t]*+(?:"(?P<basic>(?:[^"\\\n]|\\.)*+)"|'(?P<literal>[^'\n]*+)'|(?P<bare>[\w-]++))"""
    r"""[ \t]*+"""
)
_STEP: Final = re.compile(
    r""""{3}(?:[^\\]|\\.)*?"{3,5}"""
    r"""|'{3}.*?'{3,5}"""
    r'''|"(?:[^"\\\n]|\\.)*+"'''
    r"""|'[^'\n]*+'|\#[^\n]*+|(?P<open>[\[{])|(?P<close>[\]}])|(?P<line>\n)|[^"'\#\[\]{}\n]++""",
    re.DOTALL,
)
_ESCAPE: Final = re.compile(r"""\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))""")
_SHORT: Final = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r"}


class Lines:
    """The lines of a text's keys; a path that has none of its own is on its nearest parent's."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Path, int] = {}
        self._walk(text)

    def find(self, path: Path) -> int:
        """Tell the line of a path, 1 for the whole file."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def _walk(self, text: str) -> None:
        at, line, table = 0, 1, Path()
        while at < len(text):
            match text[at]:
                case "\n":
                    at, line = at + 1, line + 1
                case " " | "\t" | "\r":
                    at += 1
                case "#":
                    at = _end_of_line(text, at)
                case "[":
                    table, at = _key(text, at + 1 + text.startswith("[[", at))
                    self._note(table, line)
                    at = _end_of_line(text, at)
                case _:
                    key, at = _key(text, at)
                    self._note((*table, *key), line, len(table))
                    end = _end_of_value(text, at)
                    line, at = line + text.count("\n", at, end), end

    def _note(self, path: Path, line: int, known: int = 0) -> None:
        for length in range(known + 1, len(path)):
            self._lines.setdefault(path[:length], line)
        self._lines[path] = line


def _key(text: str, at: int) -> tuple[Path, int]:
    """Read a dotted key; returns its parts, and where it ends."""
    parts: list[str] = []
    while part := _PART.match(text, at):
        basic, literal, bare = part.group("basic", "literal", "bare")
        parts.append(_ESCAPE.sub(_unescape, basic) if basic is not None else literal or bare or "")
        at = part.end()
        if not text.startswith(".", at):
            break
        at += 1
    return tuple(parts), at


def _unescape(match: re.Match[str]) -> str:
    number = match[1] or match[2]
    return chr(int(number, 16)) if number else _SHORT.get(match[3], match[3])


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _end_of_value(text: str, at: int) -> int:
    """Find the line's end that ends a value: not within a string, a comment or brackets."""
    depth = 0
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            at += 1
            continue
        if step["open"]:
            depth += 1
        elif step["close"]:
            depth -= 1
        elif step["line"] and depth <= 0:
            return at
        at = step.end()
    return at
