"""What an e-mail address looks like to which Bursar itself is told to write, or from which. Pure.

Stricter than what a holder may have: whoever configures types these by hand, and what is refused
here would else be found missing when something goes wrong.
"""

import re
from typing import Final

MAX_ADDRESS: Final = 254
_ATEXT: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS: Final = re.compile(rf"(?=[^@]{{1,64}}@){_ATEXT}(?:\.{_ATEXT})*@{_LABEL}(?:\.{_LABEL})*")
_NAMED: Final = re.compile(r"([^<>]{0,200}?) *<([^<>]+)>")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(.)")


def is_address(text: str) -> bool:
    """Say whether a text is one plain address, ``ops@club.example``.

    A domain with letters beyond ASCII is written as its IDNA name, ``xn--…``.
    """
    return len(text) <= MAX_ADDRESS and _ADDRESS.fullmatch(text) is not None


def sender_of(text: str) -> tuple[str, str] | None:
    """Read ``Sports Club <coins@club.example>``, or an address alone: the name and the address.

    None for what is neither. A name may stand in quotes; whatever it holds, it is no address.
    """
    if len(text) > 2 * MAX_ADDRESS or not text.isprintable():
        return None
    named = _NAMED.fullmatch(text)
    name, address = (named[1].strip(), named[2]) if named else ("", text)
    if quoted := _QUOTED.fullmatch(name):
        name = _ESCAPED.sub(r"\1", quoted[1])
    return (name, address) if is_address(address) else None
