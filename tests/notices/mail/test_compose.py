"""A letter's headers say who, what and how to end it, and nobody can write one of their own."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest

from bursar.notices.mail.compose import as_bytes, compose, one_line, recipient_of, sender_of
from bursar.notices.mail.model import Rendered
from bursar.notices.model import NoticeId
from bursar.platform.errors import Invalid

NOTICE = NoticeId(UUID("0198c1f2-aaaa-8bbb-8ccc-0123456789ab"))
AT = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
LINK = "https://coins.club.example/v1/unsubscribe/" + "gAAAAABm" * 20
SENDER = sender_of("Sports Club <coins@club.example>")


def letter(**given: Any) -> EmailMessage:
    rendered = Rendered(
        given.pop("subject", "Du hast 1.500 Münzen erhalten"), "kurz", "Grüße\n", "<p>Grüße</p>\n"
    )
    usual = {
        "sender": SENDER,
        "to": "ada@example.org",
        "to_name": "Ada",
        "notice_id": NOTICE,
        "at": AT,
        "language": "de",
        "unsubscribe_url": LINK,
    }
    return compose(rendered, **(usual | given))


def wire(made: EmailMessage) -> tuple[str, EmailMessage]:
    raw = as_bytes(made)
    read = message_from_bytes(raw, policy=policy.default)
    assert isinstance(read, EmailMessage)
    return raw.decode("ascii"), read


def said(read: EmailMessage) -> list[str]:
    return [part.get_content().replace("\r\n", "\n") for part in read.iter_parts()]


def test_a_letter_says_who_what_and_when() -> None:
    raw, read = wire(letter())
    assert read["From"] == "Sports Club <coins@club.example>"
    assert read["To"] == "Ada <ada@example.org>"
    assert read["Subject"] == "Du hast 1.500 Münzen erhalten"
    assert read["Date"].datetime == AT
    assert read["Message-ID"] == f"<{NOTICE}@club.example>"
    assert read["Auto-Submitted"] == "auto-generated"
    assert read["Content-Language"] == "de"
    assert [part.get_content_type() for part in read.iter_parts()] == ["text/plain", "text/html"]
    assert said(read) == ["Grüße\n", "<p>Grüße</p>\n"]
    assert all(len(line) <= 998 for line in raw.splitlines())


def test_one_click_ends_a_kind_and_the_link_travels_unbroken() -> None:
    raw, read = wire(letter())
    assert f"\r\nList-Unsubscribe: <{LINK}>\r\n" in raw
    assert read["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "List-Unsubscribe" not in letter(unsubscribe_url="")


def test_the_same_notice_has_the_same_message_id() -> None:
    assert letter()["Message-ID"] == letter(to="b@example.org", language="en")["Message-ID"]


HOSTILE = [
    "Ada\r\nBcc: eve@evil.example",
    "Ada\nX-Evil: 1\n\nbody",
    'Ada" <eve@evil.example>, "',
    "Ada <eve@evil.example>",
    "=?utf-8?q?Ada=0D=0ABcc:_eve@evil.example?=",
    "A\u2028Bcc: x@evil.example",
    "\u202eadA\u0000\u0007",
    "a, b; c: (d) <e>@[f]\\",
    "\ud800",
    "名前" * 200,
]


@pytest.mark.parametrize("evil", HOSTILE)
def test_a_name_or_a_subject_cannot_write_headers(evil: str) -> None:
    clean = {key.lower() for key in letter().keys()}  # noqa: SIM118
    for made in (letter(to_name=evil), letter(subject=evil), letter(unsubscribe_url=LINK + evil)):
        _, read = wire(made)
        assert {key.lower() for key in read.keys()} == clean  # noqa: SIM118
        assert [one.addr_spec for one in read["To"].addresses] == ["ada@example.org"]
        assert said(read) == ["Grüße\n", "<p>Grüße</p>\n"]


@pytest.mark.parametrize(
    "address",
    [
        "ada",
        "@example.org",
        "ada@",
        "ada@example.org\r\nBcc: eve@evil.example",
        "a b@example.org",
        "ada@exa mple.org",
        "ada@example.org,eve@evil.example",
        "<ada@example.org>",
        "ada@example.org>",
        "eve@evil.example>,<ada@example.org",
        "adä@example.org",
        "ada@" + "x" * 64 + ".org",
        "ada@a..org",
        "a" * 250 + "@example.org",
        "ada\u2028@example.org",
    ],
)
def test_what_is_no_address_gets_no_letter(address: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        letter(to=address)


def test_a_domain_goes_in_the_form_that_servers_know() -> None:
    assert recipient_of(letter(to="ada@bücher.example")) == "ada@xn--bcher-kva.example"
    assert recipient_of(letter(to="o'neil+coins@example.org")) == "o'neil+coins@example.org"


@pytest.mark.parametrize("text", ["", "Club", "Club <coins>", "a@b\r\nX: y", "<@club.example>"])
def test_a_sender_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        sender_of(text)
    assert caught.value.code == "setting_invalid"


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("coins@club.example", "", "coins@club.example"),
        ("info@club.example <coins@club.example>", "info@club.example", "coins@club.example"),
        ("Sports, Club <coins@club.example>", "Sports, Club", "coins@club.example"),
        (r'"Sports \"A\", Club" <coins@club.example>', 'Sports "A", Club', "coins@club.example"),
    ],
)
def test_a_letter_comes_from_the_address_in_brackets(text: str, name: str, address: str) -> None:
    sender = sender_of(text)
    assert (sender.name, sender.address, sender.domain) == (name, address, "club.example")
    _, read = wire(letter(sender=sender))
    [shown] = read["From"].addresses
    assert (shown.display_name, shown.addr_spec) == (name, address)


@pytest.mark.parametrize("to", ["=?utf-8?q?bea?=@example.org", "=?utf-8?q?a=2Cb?=@example.org"])
def test_an_address_that_would_be_decoded_to_that_of_another_is_none(to: str) -> None:
    with pytest.raises(ValueError, match="not an address"):
        letter(to=to)


def test_a_line_is_one_and_has_an_end() -> None:
    assert one_line(" a\r\n\tb \x00 c ", 10) == "a b c"
    assert one_line("x" * 20, 5) == "xxxxx"
