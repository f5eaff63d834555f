"""What a mail server's refusal means for a letter, and what of its words is kept. Pure.

| the server says                     | outcome  | because                                      |
|-------------------------------------|----------|----------------------------------------------|
| 4xx                                 | failed   | later it may take it: greylisting, full disk |
| 5xx to our password or sender, 530  | failed   | the setting is wrong, not the letter         |
| 5xx to the recipient, of an address | bounced  | there is no such address                     |
| any other 5xx                       | refused  | no later try will be taken otherwise         |

A 5xx is of an address if its enhanced code (RFC 3463) is 5.1.x of a recipient, or if it is 550,
551 or 553 without 5.7.x, and its words do not speak of relays, policies or us: to hold a misled
relay's word for that of the addressee's host would end the mail of everybody.
"""

import re
from typing import Final, Literal

from bursar.notices.mail.compose import one_line
from bursar.notices.model import Outcome

Stage = Literal["connect", "tls", "login", "sender", "recipient", "content"]

MAX_DETAIL: Final = 300
_ENHANCED: Final = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\b")
_ABOUT_US: Final = re.compile(
    r"relay|polic(?:y|ies)|spam|block|black ?list|reputation|rbl\b|denied|not permitted"
    r"|authenti|sender|helo|ehlo|reverse dns|\bptr\b|\bspf\b|\bdkim\b|\bdmarc\b|rate|too many",
    re.IGNORECASE,
)
_OF_SENDERS: Final = ("5.1.7", "5.1.8")
_NO_ADDRESS: Final = (550, 551, 553)
OUR_SETTING: Final = (530, 534, 535, 538)
_OURS: Final = ("connect", "tls", "login", "sender")
_ADDRESS: Final = re.compile(r"<?[^\s<>\"'(),;:]+@[^\s<>\"'(),;]+>?")


def verdict(stage: Stage, status: int, said: str, address: str) -> Outcome:
    """Judge a refusal; ``address`` is whose name does not stay in the detail."""
    detail = redacted(f"{stage}: {said}", address)
    if not 200 <= status < 600:  # an answer that is none
        return Outcome(outcome="failed", detail=detail)
    if not 500 <= status < 600 or stage in _OURS or status in OUR_SETTING:
        return Outcome(outcome="failed", status=status, detail=detail)
    if stage == "recipient" and _is_of_an_address(status, said):
        return Outcome(outcome="bounced", status=status, detail=detail)
    return Outcome(outcome="refused", status=status, detail=detail)


def redacted(text: str, address: str) -> str:
    """Take addresses, and the name before the ``@``, out of what a server said; on one line."""
    text = _ADDRESS.sub("<address>", one_line(text, 2_000))
    local = address.rpartition("@")[0]
    if len(local) >= 3:
        text = re.sub(rf"(?<!\w){re.escape(local)}(?!\w)", "<address>", text, flags=re.IGNORECASE)
    return text[:MAX_DETAIL]


def _is_of_an_address(status: int, said: str) -> bool:
    found = _ENHANCED.match(said)
    enhanced = found[1] if found else ""
    if enhanced.startswith("5.1."):
        return enhanced not in _OF_SENDERS
    if enhanced.startswith("5.7.") or status not in _NO_ADDRESS:
        return False
    return _ABOUT_US.search(said) is None
