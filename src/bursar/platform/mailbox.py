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


def is_address(text: str) -> bool:
    """Say whether a text is one plain address, ``ops@club.example``.

    A domain with letters beyond ASCII is written as its IDNA name, ``xn--…``.
    """
    return len(text) <= MAX_ADDRESS and _ADDRESS.fullmatch(text) is not None


def is_sender(text: str) -> bool:
    """Say whether a text is an address, or has a name too: ``Sports Club <coins@club.example>``."""
    if len(text) > 2 * MAX_ADDRESS or not text.isprintable():
        return False
    named = _NAMED.fullmatch(text)
    return is_address(named[2] if named else text)
