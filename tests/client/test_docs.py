"""docs/client.md: its Python runs as it stands there and prints what it says."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bursar.client import Patience, errors
from tests.client.test_twins import CLIENT_COMMANDS
from tests.support.serving import add_key, serving

PAGE = (Path(__file__).parents[2] / "docs" / "client.md").read_text("utf-8")
_TESTED = re.compile(r"<!-- tested: .*?-->\n```python\n(.*?)```\n\n```text\n(.*?)```", re.DOTALL)
BLOCKING, ASYNC = _TESTED.findall(PAGE)


@pytest.fixture
async def address(database: Any, tmp_path: Path) -> Any:
    """A server on the test's database, and a key."""
    key = await add_key(database.url, "admin")
    with serving(database.url, key, tmp_path / "serve.log") as port:
        yield f"http://127.0.0.1:{port}", key


async def test_the_quickstart_prints_what_it_says(
    address: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    url, key = address
    for code, printed in (BLOCKING, ASYNC):
        body = textwrap.indent(code.replace("http://127.0.0.1:8600", url), "    ")
        scope: dict[str, Any] = {"key": key}
        exec(f"async def page():\n{body}", scope)  # noqa: S102 - it is our own page
        await scope["page"]()
        assert capsys.readouterr().out == printed


def test_the_page_tells_of_every_type_of_error() -> None:
    names = {
        kind.__name__
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.BursarError)
    }
    assert [name for name in names - {"BursarError"} if f"`{name}`" not in PAGE] == []


def test_the_page_tells_the_defaults_of_patience() -> None:
    patience = Patience()
    for field in ("timeout_s", "deadline_s"):
        assert f"| `{field}` | {getattr(patience, field):g} |" in PAGE
    waits = f"{patience.first_wait_s:g}, {patience.longest_wait_s:g}"
    assert f"| `first_wait_s`, `longest_wait_s` | {waits} |" in PAGE


def test_the_page_names_the_commands_that_have_a_method() -> None:
    named = {name.lower() for name in CLIENT_COMMANDS}
    told: Iterator[str] = iter(("credit", "debit", "transfer", "reverse", "expire", "extend"))
    assert all(f"`{name}`" in PAGE and name in named for name in told)
