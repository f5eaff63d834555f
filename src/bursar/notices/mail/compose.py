"""Making a letter out of what was rendered: headers that nobody can forge, text and HTML. Pure.

A name from the directory or a template's subject may hold anything. What could end a header or
turn the order of its letters around is taken out before the header is made.
"""

import re
import unicodedata
from datetime import datetime
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

import msgspec

from bursar.notices.mail.model import Rendered
from bursar.notices.model import NoticeId
from bursar.platform import mailbox
from bursar.platform.errors import Invalid

_WIRE: Final = SMTP.clone(max_line_length=900)
"""A header as one line: folded, the link in List-Unsubscribe would be encoded and lost."""
_MAX_NAME: Final = 60
_MAX_SUBJECT: Final = 200


_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.][A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{0,63}")
_DOMAIN: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)*")


class Sender(msgspec.Struct, frozen=True):
    """Who letters come from."""

    name: str
    address: str
    domain: str


def sender_of(text: str) -> Sender:
    """Read ``Sports Club <coins@club.example>``; raises `Invalid` ``setting_invalid``."""
    read = mailbox.sender_of(text)
    if read is None:
        raise Invalid(
            "setting_invalid",
            "BURSAR_MAIL_FROM must be an address such as Sports Club <coins@club.example>",
            setting="BURSAR_MAIL_FROM",
        )
    name, address = read
    return Sender(name, address, address.rpartition("@")[2])


def compose(
    rendered: Rendered,
    *,
    sender: Sender,
    to: str,
    to_name: str,
    notice_id: NoticeId,
    at: datetime,
    language: str,
    unsubscribe_url: str = "",
) -> EmailMessage:
    """Make the letter; the same notice has the same Message-ID, however often it goes.

    With ``unsubscribe_url`` a click in the reader's mailbox ends this kind of notice (RFC 8058).
    Raises `ValueError` where ``to`` is nothing that a letter can be sent to.
    """
    letter = EmailMessage(policy=SMTP)
    letter["From"] = _address(one_line(sender.name, _MAX_NAME), sender.address)
    letter["To"] = _address(one_line(to_name, _MAX_NAME), to)
    letter["Subject"] = one_line(rendered.subject, _MAX_SUBJECT)
    letter["Date"] = format_datetime(at)
    letter["Message-ID"] = f"<{notice_id}@{sender.domain}>"
    if unsubscribe_url:
        letter["List-Unsubscribe"] = f"<{one_line(unsubscribe_url, 800)}>"
        letter["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(rendered.text, cte="quoted-printable")
    letter.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
    letter["Content-Language"] = language
    return letter


def recipient_of(letter: EmailMessage) -> str:
    """Say to which address a letter goes, as a server is told it."""
    [address] = letter["To"].addresses
    spec: str = address.addr_spec
    return spec


def as_bytes(letter: EmailMessage) -> bytes:
    """Write a letter as it goes over the wire.

    Raises `ValueError` if it then had other headers than were made: nothing should lead there.
    """
    written = letter.as_bytes(policy=_WIRE)
    if message_from_bytes(written).keys() != letter.keys():
        raise ValueError("a header has become two")
    return written


def one_line(text: str, most: int) -> str:
    """Take out what ends lines or reorders letters, and all but the first characters.

    What looks like an encoded word is broken: decoded on its way out, it could end a line.
    """
    kept = (" " if unicodedata.category(c) in ("Cc", "Zl", "Zp", "Cs") else c for c in text)
    shown = (c for c in kept if unicodedata.category(c) != "Cf" or c == "\u200d")
    return " ".join("".join(shown).split())[:most].replace("=?", "= ?").strip()


def _address(name: str, text: str) -> Address:
    """Read an address; its domain in ASCII, as mail servers know it.

    A name like an encoded word would be decoded on its way, and be another's.
    """
    local, _, domain = text.rpartition("@")
    if not _LOCAL.fullmatch(local) or "=?" in local or len(text) > 254:
        raise ValueError("not an address")
    domain = domain.encode("idna").decode("ascii")
    if not _DOMAIN.fullmatch(domain):
        raise ValueError("not an address")
    return Address(name, local, domain)
