"""Write the blocking client from the one for asyncio: `make client` (I5).

What differs is a handful of words. A line that ends in ``# sync: …`` is replaced by what stands
there, or left out if nothing does; placing.py is for asyncio alone.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

CLIENT: Final = Path(__file__).parents[1] / "src" / "bursar" / "client"
ALONE: Final = {"placing.py"}

_WORDS: Final = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "AbstractAsyncContextManager": "AbstractContextManager",
    "aclose": "close",
    "aiter_bytes": "iter_bytes",
    "aread": "read",
    "asynchronous": "synchronous",
    "asyncio": "time",
    "AsyncBaseTransport": "BaseTransport",
    "AsyncClient": "Client",
    "AsyncIterator": "Iterator",
}
_OURS: Final = ("--config", 'lint.isort.known-first-party=["bursar"]')
"""The files may not be there yet, by which ruff would know."""

_WORD: Final = re.compile(rf"\b({'|'.join(_WORDS)})\b")
_GRAMMAR: Final = re.compile(r"\b(async (?=def |with |for )|await )")
_MARKED: Final = re.compile(r"^( *).*  # sync:(?: (.*))?$")


def blocking(text: str) -> str:
    """Translate a file."""
    lines = []
    for line in text.splitlines():
        marked = _MARKED.match(line)
        if marked is None:
            lines.append(_WORD.sub(lambda m: _WORDS[m[1]], _GRAMMAR.sub("", line)))
        elif marked[2]:
            lines.append(marked[1] + marked[2])
    text = "\n".join(lines) + "\n"
    text = text.replace("import time\nimport time\n", "import time\n")
    return text.replace("The client for time", "The blocking client, written by `make client`")


def translated() -> dict[str, str]:
    """Translate every file, formatted as the house does; by name."""
    sources = sorted((CLIENT / "asynchronous").glob("*.py"))
    return {
        path.name: _formatted(blocking(path.read_text("utf-8")))
        for path in sources
        if path.name not in ALONE
    }


def _formatted(text: str) -> str:
    ruff = [sys.executable, "-m", "ruff"]
    for arguments in (
        ["check", "--select", "I", "--fix", "--quiet", *_OURS],
        ["format", "--quiet"],
    ):
        done = subprocess.run(
            [*ruff, *arguments, "--stdin-filename", str(CLIENT / "synchronous" / "any.py"), "-"],
            input=text,
            capture_output=True,
            check=True,
            text=True,
        )
        text = done.stdout
    return text


def main() -> None:
    """Write the files, and remove those that have gone."""
    target = CLIENT / "synchronous"
    target.mkdir(exist_ok=True)
    files = translated()
    for path in target.glob("*.py"):
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        (target / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
