"""What docs/notices.md tells of kinds and of messages is so."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bursar.ledger.decision.examine import MAX_TEXT
from bursar.notices import kinds
from bursar.notices.deriving import spelled
from bursar.notices.making.placing import BATCH
from bursar.notices.model import Kind
from bursar.notices.webhooks.model import Batch, Told
from bursar.notices.webhooks.signing import body_of
from tests.notices.test_deriving import ALL, awarded, notices

PAGE = (Path(__file__).parents[2] / "docs" / "notices.md").read_text("utf-8")
_ROW = re.compile(r"^\| `(\w+)` +\| (.+?) +\| (.+?) +\|$", re.MULTILINE)


def test_the_page_and_the_catalogue_list_the_same_kinds() -> None:
    page = {name for name, _, _ in _ROW.findall(PAGE.partition("## In the app")[0])}
    catalogue = kinds.__doc__ or ""

    assert page == set(Kind)
    assert {name for name, _, _ in _ROW.findall(catalogue)} == set(Kind)


def test_the_message_on_the_page_is_what_is_sent() -> None:
    shown = msgspec.json.decode(PAGE.partition("```json")[2].partition("```")[0])
    [notice] = notices(awarded(), ALL, Kind.DEPOSIT)
    told = Told(str(notice.notice_id), 7, spelled(notice.happened_at), notice.data)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    sent = msgspec.json.decode(body_of("deposit", at, Batch((told,), "run_7"), {7: "mia"}))

    assert _shape(sent) == _shape(shown)


def test_a_full_message_is_as_large_as_the_page_says() -> None:
    shown = msgspec.json.decode(PAGE.partition("```json")[2].partition("```")[0])
    [one] = shown["data"]["notices"]
    data = {key: one[key] for key in one if key not in {"id", "holder", "happened_at"}}

    assert f"that is {_size(one, data, one['holder']) // 1_000} kB" in PAGE
    longest = "\N{COIN}" * MAX_TEXT  # of an id and a reference; four bytes each
    assert _size(one, data | {"reference": longest}, longest) < 1_000_000


def _size(one: dict[str, Any], data: dict[str, Any], holder: str) -> int:
    told = Told(one["id"], 7, one["happened_at"], data)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return len(body_of("deposit", at, Batch((told,) * BATCH, "run_7"), {7: holder}))


def _shape(value: object) -> object:
    if isinstance(value, dict):
        return {key: _shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shape(inner) for inner in value]
    return type(value)
