"""The link in a letter: looked at it changes nothing, one click ends the kind (N5, RFC 8058)."""

from html.parser import HTMLParser

import httpx
import pytest

from bursar.api.services import Services
from bursar.api.unsubscribe_page import WORDS
from bursar.notices.kinds import OF_HOLDERS
from bursar.notices.mail.unsubscribe import Unsubscribing
from bursar.notices.model import Kind
from bursar.notices.service import Notices
from bursar.platform.sealing import Seal, new_key
from bursar.platform.settings import load_settings
from tests.api.conftest import problem
from tests.api.told import tell

HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
KEY = new_key()


@pytest.fixture
async def link(services: Services) -> str:
    """Of maria's letter about a deposit."""
    services.notices = Notices(services.ledger, load_settings({"BURSAR_SECRETS_KEY": KEY}))
    await tell(services)
    number = await services.notices.inboxes.number_of("maria")
    url = Unsubscribing(Seal((KEY,)), "http://b").url(number, Kind.DEPOSIT)
    return url.removeprefix("http://b")


async def mailed(services: Services) -> bool:
    found = await services.notices.preferences.show("maria")
    return found.kinds[Kind.DEPOSIT]["email"]


class Page(HTMLParser):
    """What a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._skip = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._skip = tag == "style"

    def handle_data(self, data: str) -> None:
        self.words += "" if self._skip else data + " "

    def names(self) -> list[str]:
        return [tag for tag, _ in self.tags]


async def test_a_scanner_that_opens_the_link_changes_nothing(
    api: httpx.AsyncClient, services: Services, link: str
) -> None:
    for _ in range(3):
        shown = await api.get(link)
        assert shown.status_code == 200
        assert shown.headers["content-type"] == "text/html; charset=utf-8"
    assert await mailed(services)
    page = Page(shown.text)
    assert page.names().count("button") == 1
    assert ("form", {"method": "post"}) in page.tags
    assert "credit that has arrived" in page.words


async def test_the_page_is_read_by_everybody_and_lets_nothing_else_in(
    api: httpx.AsyncClient, link: str
) -> None:
    shown = await api.get(link, headers=HTML)
    page = Page(shown.text)
    assert ("html", {"lang": "en"}) in page.tags
    assert {"title", "h1", "main"} <= set(page.names())
    assert not {"script", "img", "link", "iframe"} & set(page.names())
    policy = shown.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    assert shown.headers["referrer-policy"] == "no-referrer"
    assert shown.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"List-Unsubscribe=One-Click", "application/x-www-form-urlencoded"),
        (b"", None),
        (b"\xff\xfe not text", "application/octet-stream"),
        (b"{", "application/json"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
    ],
)
async def test_one_click_ends_the_kind_whatever_the_body_is(
    api: httpx.AsyncClient, services: Services, link: str, content: bytes, kind: str | None
) -> None:
    headers = {} if kind is None else {"content-type": kind}
    for _ in range(2):
        done = await api.post(link, content=content, headers=headers)
        assert done.status_code == 200
        assert "unsubscribed" in Page(done.text).words
    assert not await mailed(services)
    found = await services.notices.preferences.show("maria")
    assert found.chosen == {Kind.DEPOSIT: {"email": False}}


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("token", ["x", "gAAAAA", "a" * 5_000, "..%2f..", "%00", "%3Cscript%3E"])
async def test_a_link_that_is_none_is_a_page_for_people_and_a_problem_for_programs(
    api: httpx.AsyncClient, services: Services, link: str, method: str, token: str
) -> None:
    path = f"/v1/unsubscribe/{token}"
    code = problem(await api.request(method, path), 400)
    if token == "%00":
        assert code == "path_invalid"
        return
    assert code == "unsubscribe_token"
    shown = await api.request(method, path, headers=HTML)
    assert shown.status_code == 400
    assert "does not work" in Page(shown.text).words
    assert "script" not in shown.text
    assert "form" not in Page(shown.text).names()
    assert await mailed(services)


async def test_a_token_of_another_key_or_of_one_who_is_not_here_is_none(
    api: httpx.AsyncClient, link: str
) -> None:
    for key, holder, kind in (
        (new_key(), 1, Kind.DEPOSIT),
        (KEY, 2**40, Kind.DEPOSIT),
        (KEY, 1, Kind.OPERATOR_ALERT),
    ):
        url = Unsubscribing(Seal((key,)), "http://b").url(holder, kind)
        answer = await api.post(url.removeprefix("http://b"))
        assert problem(answer, 400) == "unsubscribe_token"


async def test_after_an_erasure_the_link_says_nothing_of_who_it_was(
    api: httpx.AsyncClient, services: Services, link: str
) -> None:
    await services.holders.erase("maria", actor="test", reason="asked to be forgotten")
    answer = await api.post(link)
    assert answer.status_code == 200
    assert "maria" not in answer.text


@pytest.mark.parametrize(
    ("wish", "language"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr,de;q=0.5", "de"),
        ("*", "en"),
        ("", "en"),
        (",;", "en"),
    ],
)
async def test_the_page_speaks_the_language_of_the_browser(
    api: httpx.AsyncClient, link: str, wish: str, language: str
) -> None:
    shown = await api.get(link, headers={"accept-language": wish})
    assert ("html", {"lang": language}) in Page(shown.text).tags


async def test_without_the_key_people_are_asked_to_come_again(
    api: httpx.AsyncClient, services: Services, link: str
) -> None:
    services.notices = Notices(services.ledger, load_settings({}))
    shown = await api.post(link, headers=HTML)
    assert shown.status_code == 422
    assert "try again" in Page(shown.text).words


def test_every_language_says_all_of_it() -> None:
    for words in WORDS.values():
        assert list(words.kinds) == list(OF_HOLDERS)
        assert list(words.steps) == ["ask", "done", "wrong", "later"]
