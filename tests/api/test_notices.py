"""Kinds, settings, texts, and one holder's notices, for those who run the economy (N1, N2, N4)."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from bursar.api.services import Services
from bursar.notices.mail.render import Texts
from bursar.notices.model import Kind
from bursar.trail.model import Wanted
from tests.api.clubs import CLUB, found, said
from tests.api.conftest import As, Headers, problem
from tests.api.told import give, tell

FILE = f"""{CLUB}
[notices]
product = "The Club"
send = ["deposit", "low_balance"]
channels = ["inbox"]
operators = ["ops@club.example"]
quiet = {{ from = "22:00", until = "07:00" }}

[notices.deposit]
channels = ["inbox", "email"]

[notices.low_balance]
below = {{ coins = 100 }}
"""


@pytest.fixture
def viewer(as_: As) -> Headers:
    return as_("viewer")


async def test_every_kind_is_listed_with_the_ways_in_force(
    api: httpx.AsyncClient, services: Services, viewer: Headers
) -> None:
    await found(services, FILE)
    items = said(await api.get("/v1/notices/kinds", headers=viewer))["items"]
    assert [item["kind"] for item in items] == list(Kind)
    ways = {item["kind"]: (item["to"], item["channels"]) for item in items}
    assert ways["deposit"] == ("holders", ["inbox", "email"])
    assert ways["reminder"] == ("holders", ["inbox"])
    assert ways["operator_alert"] == ("operators", ["email"])


async def test_the_settings_are_those_of_the_file(
    api: httpx.AsyncClient, services: Services, viewer: Headers
) -> None:
    assert said(await api.get("/v1/notices/settings", headers=viewer))["send"] == []
    await found(services, FILE)
    shown = said(await api.get("/v1/notices/settings", headers=viewer))
    assert (shown["product"], shown["send"]) == ("The Club", ["deposit", "low_balance"])
    assert (shown["channels"], shown["by_kind"]) == (["inbox"], {"deposit": ["inbox", "email"]})
    assert (shown["below"], shown["operators"]) == ({"coins": 100}, ["ops@club.example"])
    assert shown["quiet"] == {"from": "22:00", "until": "07:00"}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("language", ["en", "de"])
async def test_a_preview_is_what_would_be_sent(
    api: httpx.AsyncClient, services: Services, viewer: Headers, kind: Kind, language: str
) -> None:
    query = {"kind": kind.value, "language": language}
    letter = said(await api.get("/v1/notices/preview", params=query, headers=viewer))
    assert letter["subject"]
    assert letter["summary"] is not None
    assert "<html" in letter["html"]
    assert letter["text"].endswith("\n")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"kind": "party"}, "request_invalid"),
        ({}, "request_invalid"),
        ({"kind": "deposit", "language": "fr"}, "notice_language"),
        ({"kind": "deposit", "language": "../../etc"}, "request_invalid"),
        ({"kind": "deposit", "language": ""}, "request_invalid"),
    ],
)
async def test_a_preview_of_nothing_is_refused(
    api: httpx.AsyncClient, viewer: Headers, query: dict[str, str], code: str
) -> None:
    answer = await api.get("/v1/notices/preview", params=query, headers=viewer)
    assert problem(answer, 400) == code


async def test_a_template_that_fails_is_named_with_its_line(
    api: httpx.AsyncClient, services: Services, viewer: Headers, tmp_path: Path
) -> None:
    path = "/v1/notices/templates"
    assert said(await api.get(path, headers=viewer)) == {"items": [], "languages": ["en", "de"]}
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "deposit.txt").write_text('{% extends "notice.txt" %}\n{{ balanse }}\n{%')
    services.notices.texts = Texts(tmp_path)
    [failure] = said(await api.get(path, headers=viewer))["items"]
    assert (failure["file"], failure["line"]) == ("en/deposit.txt", 3)
    answer = await api.get("/v1/notices/preview?kind=deposit", headers=viewer)
    assert problem(answer, 400) == "template_error"
    assert answer.json()["fields"]["line"] == 3


async def test_an_operator_sees_the_inbox_as_its_holder_and_reads_nothing_by_it(
    api: httpx.AsyncClient, services: Services, viewer: Headers, as_holder: Any
) -> None:
    await tell(services)
    await give(services, "maria", 50, 60)
    theirs = said(await api.get("/v1/me/inbox", headers=as_holder("maria")))
    assert said(await api.get("/v1/holders/maria/inbox", headers=viewer)) == theirs
    unread = said(await api.get("/v1/holders/maria/inbox?unread=true&limit=1", headers=viewer))
    assert (len(unread["items"]), unread["cursor"] is None) == (1, False)
    assert problem(await api.get("/v1/holders/nobody/inbox", headers=viewer), 404)


async def test_an_operator_chooses_for_a_holder_and_says_why(
    api: httpx.AsyncClient, services: Services, as_: As
) -> None:
    await tell(services)
    path = "/v1/holders/maria/notice-preferences"
    read = await api.get(path, headers=as_("viewer"))
    wish: dict[str, Any] = {"choices": {"deposit": {"email": False}}}
    unexplained = await api.patch(path, json=wish, headers=as_("operator"))
    assert problem(unexplained, 400) == "request_invalid"
    wish["reason"] = "asked for by telephone"
    tagged = as_("operator", if_match=read.headers["etag"])
    changed = said(await api.patch(path, json=wish, headers=tagged))
    assert changed["kinds"]["deposit"] == {"inbox": True, "email": False}
    late = await api.patch(path, json=wish, headers=tagged)
    assert problem(late, 412) == "precondition_failed"
    [act] = (await services.trail.acts(Wanted(act="preferences.change"))).items
    assert (act.actor, act.reason) == ("api:operator", "asked for by telephone")
    nobody = await api.patch("/v1/holders/nobody/notice-preferences", json=wish, headers=tagged)
    assert problem(nobody, 404) == "holder_unknown"
