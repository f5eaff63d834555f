"""Conversations with a real server: what it says decides what becomes of a letter (N2)."""

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from bursar.notices.mail.smtp import Failed, Postbox
from bursar.notices.model import Outcome
from bursar.platform.errors import Invalid
from bursar.platform.smtp_url import server_of
from tests.notices.mail.servers import Office, office

LETTER = b"Subject: x\r\n\r\nHello.\r\n..\r\n.\r\nEnd.\r\n"
ADA = "ada.lovelace@example.org"


pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, Path]:
    ca = trustme.CA()
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return ca, path


def certified(ca: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names).configure_cert(context)
    return context


def postbox(port: int, *, scheme: str = "smtp", user: str = "", more: str = "") -> Postbox:
    url = f"{scheme}://{user}127.0.0.1:{port}?helo=club.example{more}"
    return Postbox(server_of(url), timeout_s=30.0)


async def send(box: Postbox, to: str = ADA) -> Outcome:
    """What becomes of a letter, as an outcome; the server is said goodbye to."""
    try:
        await box.hand_over("coins@club.example", to, LETTER)
    except Failed as failed:
        return failed.outcome
    return Outcome(outcome="sent")


async def send_once(box: Postbox, to: str = ADA) -> Outcome:
    try:
        return await send(box, to)
    finally:
        await box.close()


async def test_a_letter_arrives_as_it_was_written(post: tuple[Office, int]) -> None:
    there, port = post
    assert (await send_once(postbox(port))).outcome == "sent"
    assert there.to == [ADA]
    assert there.raw == [LETTER]


async def test_letters_go_over_one_connection(post: tuple[Office, int]) -> None:
    there, port = post
    box = postbox(port)
    for _ in range(5):
        await send(box)
    there.rcpt = lambda _: "550 5.1.1 no"
    await send(box)
    there.rcpt = lambda _: None
    await send(box)
    await box.close()
    assert len(there.raw) == 6
    assert there.conversations == 1


async def test_no_more_letters_are_under_way_than_there_are_lanes(post: tuple[Office, int]) -> None:
    there, port = post
    box = Postbox(server_of(f"smtp://127.0.0.1:{port}?helo=club.example"), lanes=3)
    assert {one.outcome for one in await asyncio.gather(*(send(box) for _ in range(20)))} == {
        "sent"
    }
    await box.close()
    assert len(there.raw) == 20
    assert there.conversations <= 3


async def test_who_was_not_taken_at_first_is_taken_later(post: tuple[Office, int]) -> None:
    there, port = post
    answers = iter(["451 4.7.1 Greylisted, come back", None])
    there.rcpt = lambda _: next(answers)
    box = postbox(port)
    first = await send(box)
    assert (first.outcome, first.status) == ("failed", 451)
    assert (await send_once(box)).outcome == "sent"


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("550 5.1.1 No such user", "bounced"),
        ("550 No such user here", "bounced"),
        ("551 User not local", "bounced"),
        ("553 mailbox name not allowed", "bounced"),
        ("554 5.1.2 Bad destination system", "bounced"),
        ("550 5.1.8 Bad sender", "refused"),
        ("550 5.7.1 Blocked by policy", "refused"),
        ("550 Relaying denied", "refused"),
        ("550 Your host is on a blocklist", "refused"),
        ("552 5.2.2 Mailbox full", "refused"),
        ("554 No", "refused"),
        ("530 5.7.0 Authentication required", "failed"),
        ("452 4.2.2 Mailbox full", "failed"),
        ("421 4.3.2 Closing", "failed"),
        ("999 What", "failed"),
    ],
)
async def test_what_a_server_says_of_the_recipient_decides(
    post: tuple[Office, int], said: str, outcome: str
) -> None:
    there, port = post
    there.rcpt = lambda _: said
    found = await send_once(postbox(port))
    assert found.outcome == outcome
    assert found.status == (None if said.startswith("999") else int(said[:3]))
    assert not there.raw


async def test_content_that_is_refused_is_nobodys_bounce(post: tuple[Office, int]) -> None:
    there, port = post
    there.data = lambda _: "550 5.1.1 looks like spam"
    found = await send_once(postbox(port))
    assert (found.outcome, found.status) == ("refused", 550)
    there.data = lambda _: "452 4.3.1 disk full"
    assert (await send_once(postbox(port))).outcome == "failed"


async def test_a_sender_that_is_refused_is_our_settings_fault_and_no_letter_is_lost(
    post: tuple[Office, int],
) -> None:
    there, port = post
    there.mail = lambda _: "550 5.7.1 not your domain"
    with pytest.raises(Failed) as caught:
        await postbox(port).hand_over("coins@club.example", ADA, LETTER)
    assert caught.value.setting
    assert caught.value.outcome.outcome == "failed"


async def test_a_connection_that_is_lost_in_the_middle_of_a_letter_fails(
    post: tuple[Office, int],
) -> None:
    there, port = post
    there.drop = True
    box = postbox(port)
    found = await send(box)
    assert (found.outcome, found.status) == ("failed", None)
    assert "connection was lost" in found.detail
    there.drop = False
    assert (await send_once(box)).outcome == "sent"


async def test_a_server_that_does_not_answer_is_not_waited_for(post: tuple[Office, int]) -> None:
    there, port = post
    there.silent = True
    box = Postbox(server_of(f"smtp://127.0.0.1:{port}?helo=club.example"), timeout_s=2)
    found = await send(box)
    assert (found.outcome, found.detail) == ("failed", "recipient: no answer in 2 s")
    there.silent = False
    assert (await send_once(box)).outcome == "sent"
    assert there.conversations == 2


@pytest.mark.parametrize("at", ["mail", "rcpt"])
async def test_a_letter_that_is_broken_off_leaves_no_connection_behind(
    post: tuple[Office, int], at: str
) -> None:
    there, port = post
    there.silent = True
    box = postbox(port)
    begun = asyncio.Event()

    def note(_: str) -> None:
        loop.call_soon_threadsafe(begun.set)

    loop = asyncio.get_running_loop()
    setattr(there, at, note)
    task = asyncio.create_task(send(box))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    there.silent = False
    assert (await send_once(box)).outcome == "sent"
    assert there.conversations == 2


async def test_a_connection_that_a_server_closed_meanwhile_is_replaced() -> None:
    with office() as (first, port):
        box = postbox(port)
        assert (await send(box)).outcome == "sent"
        answers = iter(["421 4.4.2 idle for too long", None])
        first.mail = lambda _: next(answers)
        assert (await send_once(box)).outcome == "sent"
        assert first.conversations == 2


async def test_nobody_there_is_a_failure(post: tuple[Office, int]) -> None:
    with office() as (_, port):
        pass
    found = await send_once(postbox(port))
    assert found.outcome == "failed"
    assert found.detail.startswith("connect: ")


# --- TLS ------------------------------------------------------------------------------------


async def test_letters_go_under_tls_at_once(authority: tuple[trustme.CA, Path]) -> None:
    ca, path = authority
    with office(smtps=certified(ca, "127.0.0.1")) as (there, port):
        assert (
            await send_once(postbox(port, scheme="smtps", more=f"&ca={path}"))
        ).outcome == "sent"
        assert there.raw


async def test_letters_go_under_tls_after_asking(authority: tuple[trustme.CA, Path]) -> None:
    ca, path = authority
    with office(starttls=certified(ca, "127.0.0.1")) as (there, port):
        assert (await send_once(postbox(port, more=f"&ca={path}"))).outcome == "sent"
        assert there.raw


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
@pytest.mark.parametrize("wrong", ["authority", "name"])
async def test_a_certificate_is_checked(
    authority: tuple[trustme.CA, Path], scheme: str, wrong: str
) -> None:
    ca, path = authority
    context = certified(
        trustme.CA() if wrong == "authority" else ca,
        "127.0.0.1" if wrong == "authority" else "other.example",
    )
    tls = {"smtps": context} if scheme == "smtps" else {"starttls": context}
    with office(**tls) as (there, port):
        box = postbox(port, scheme=scheme, more=f"&ca={path}")
        with pytest.raises(Failed) as caught:
            await box.hand_over("coins@club.example", ADA, LETTER)
        assert caught.value.setting
        assert caught.value.outcome.outcome == "failed"
        assert "tls: the certificate is not trusted" in caught.value.outcome.detail
        assert not there.raw


async def test_a_server_without_tls_gets_no_letter_and_no_password(
    authority: tuple[trustme.CA, Path],
) -> None:
    _, path = authority
    with office(password="pw") as (there, port):
        box = postbox(port, user="u:pw@", more=f"&ca={path}")
        with pytest.raises(Failed) as caught:
            await box.hand_over("coins@club.example", ADA, LETTER)
        assert caught.value.setting
        assert caught.value.outcome.detail.startswith("tls: ")
        found = await send_once(postbox(port, scheme="smtps"))
        assert found.outcome == "failed"
        assert found.detail.startswith("tls: ")
        assert not there.raw


async def test_who_we_are_is_proven_with_a_password() -> None:
    with office(password="p@ss:w") as (there, port):
        assert (await send_once(postbox(port, user="u:p%40ss%3Aw@"))).outcome == "sent"
        assert there.raw
        box = postbox(port, user="u:secret-and-wrong@")
        with pytest.raises(Failed) as caught:
            await box.hand_over("coins@club.example", ADA, LETTER)
        assert caught.value.setting
        assert (caught.value.outcome.outcome, caught.value.outcome.status) == ("failed", 535)
        assert "secret" not in caught.value.outcome.detail


# --- what is kept of it ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        "550 5.1.1 <ada.lovelace@example.org>: Recipient address rejected",
        "550 5.1.1 ADA.Lovelace@Example.ORG is unknown",
        "550 User ada.lovelace unknown in table",
        "550 forwarded to <ada@home.example> which is gone",
        "550 " + "long " * 100 + "ada.lovelace@example.org",
    ],
)
async def test_no_address_stays_in_what_is_kept(post: tuple[Office, int], said: str) -> None:
    there, port = post
    there.rcpt = lambda _: said
    detail = (await send_once(postbox(port))).detail
    assert "ada" not in detail.lower()
    assert "home.example" not in detail
    assert len(detail) <= 300
    assert "\n" not in detail


async def test_what_a_server_says_becomes_one_line(post: tuple[Office, int]) -> None:
    there, port = post
    there.rcpt = lambda _: "550-5.1.1 first\r\n550 5.1.1 \x1b[31mred\x07"
    detail = (await send_once(postbox(port))).detail
    assert detail.isprintable()


# --- the setting ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "at_once"),
    [
        ("smtps://mail.example", "mail.example", 465, True, True),
        ("smtp://mail.example", "mail.example", 587, True, False),
        ("smtp://mail.example:25?tls=no", "mail.example", 25, False, False),
        ("smtp://localhost:2525", "localhost", 2525, False, False),
        ("smtp://[::1]:2525", "::1", 2525, False, False),
        ("smtp://127.9.9.9", "127.9.9.9", 587, False, False),
        ("smtp://127.0.0.1?tls=yes", "127.0.0.1", 587, True, False),
        ("smtp://localhost.evil.example", "localhost.evil.example", 587, True, False),
        ("smtp://10.0.0.1", "10.0.0.1", 587, True, False),
    ],
)
def test_tls_is_demanded_unless_the_server_is_here(
    url: str, host: str, port: int, *, tls: bool, at_once: bool
) -> None:
    found = server_of(url)
    assert (found.host, found.port, found.tls, found.at_once) == (host, port, tls, at_once)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example:25",
        "http://user:hunter2@mail.example",
        "smtp://",
        "smtp://user:hunter2@:25",
        "smtp://user:hunter2@mail.example:0",
        "smtp://user:hunter2@mail.example:99999",
        "smtp://user:hunter2@mail.example/path",
        "smtp://user:hunter2@mail.example?tls=maybe",
        "smtp://user:hunter2@mail.example?tsl=no",
        "smtps://user:hunter2@mail.example?tls=no",
        "smtp://hunter2@mail.example",
        "smtp://mail.example\r\nRCPT TO:<hunter2@evil.example>",
        "smtp://mail.example?helo=a%0d%0ahunter2",
        "smtp://mail.example?ca=/none/hunter2&tls=no",
        "smtp://[::1",
    ],
)
def test_a_url_that_is_none_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        server_of(url)
    assert caught.value.code == "setting_invalid"
    assert "hunter2" not in str(caught.value.fields) + caught.value.message


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(Invalid) as caught:
        Postbox(server_of(f"smtps://mail.example?ca={path}"))
    assert caught.value.code == "setting_invalid"


def test_a_server_does_not_show_its_password() -> None:
    assert "hunter2" not in repr(server_of("smtps://user:hunter2@mail.example"))
