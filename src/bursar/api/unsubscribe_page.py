"""The page behind the link in a letter: one button, no script, nothing from elsewhere (RFC 8058).

A mail scanner opens every link, so opening this one changes nothing; the button does. It is read by
somebody without a login, on any device, in the language that their browser asks for.
"""

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from typing import Final, Literal, NamedTuple

from bursar.notices.model import Kind

Step = Literal["ask", "done", "wrong", "later"]

_STYLE: Final = """\
:root{color-scheme:light dark;--paper:#fdfcfa;--ink:#1f2328;--soft:#5d6570;--accent:#7a5a12}
@media (prefers-color-scheme:dark){:root{--paper:#14161a;--ink:#e4e3df;--soft:#9aa1ab;\
--accent:#e0b650}}
body{margin:0;background:var(--paper);color:var(--ink);font:1.0625rem/1.6 system-ui,sans-serif}
main{max-width:32rem;margin:0 auto;padding:18vh 1.5rem 3rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .75rem}
p{margin:0 0 1.5rem;color:var(--soft)}
strong{color:var(--ink)}
button{font:inherit;font-weight:600;min-height:2.75rem;padding:.5rem 1.25rem;border:0;\
border-radius:.375rem;background:var(--accent);color:var(--paper);cursor:pointer}
button:focus-visible{outline:3px solid var(--ink);outline-offset:3px}
"""
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS: Final = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex",
    "vary": "accept, accept-language",
}
"""The page's own style, known by its hash, a form to where it came from, and nothing else."""


class _Words(NamedTuple):
    steps: Mapping[Step, tuple[str, str]]
    button: str
    kinds: Mapping[Kind, str]


_ENGLISH: Final = _Words(
    {
        "ask": (
            "Stop these e-mails?",
            ("This is about e-mails of one kind: {kind}. Your inbox in the app stays as it is."),
        ),
        "done": (
            "You are unsubscribed",
            (
                "No more e-mails of this kind will be sent to you: {kind}."
                " In the app you can turn them on again."
            ),
        ),
        "wrong": (
            "This link does not work",
            ("It may have been cut short. In the app you can choose which e-mails you get."),
        ),
        "later": (
            "Not just now",
            (
                "Something is in the way on our side, and nothing has been"
                " changed. Please try again in a few minutes."
            ),
        ),
    },
    "Stop these e-mails",
    {
        Kind.DEPOSIT: "credit that has arrived",
        Kind.REFRESH_DONE: "the credit of a new cycle",
        Kind.REFRESH_FAILED: "credit that you did not get this time",
        Kind.REMINDER: "reminders of credit to come",
        Kind.CORRECTED: "corrections of your balance",
        Kind.EXPIRING_SOON: "credit that expires soon",
        Kind.LOW_BALANCE: "a low balance",
        Kind.HOLD_LAPSED: "credit that is available again",
    },
)

_GERMAN: Final = _Words(
    {
        "ask": (
            "Diese E-Mails abbestellen?",
            ("Es geht um E-Mails einer Art: {kind}. Dein Postfach in der App bleibt, wie es ist."),
        ),
        "done": (
            "Abbestellt",
            (
                "Du bekommst keine E-Mails dieser Art mehr: {kind}. In der App"
                " kannst du sie wieder einschalten."
            ),
        ),
        "wrong": (
            "Dieser Link funktioniert nicht",
            (
                "Vielleicht wurde er abgeschnitten. In der App"
                " kannst du wählen, welche E-Mails du bekommst."
            ),
        ),
        "later": (
            "Gerade geht es nicht",
            (
                "Bei uns ist etwas im Weg, und es wurde nichts geändert."
                " Bitte versuche es in ein paar Minuten noch einmal."
            ),
        ),
    },
    "E-Mails abbestellen",
    {
        Kind.DEPOSIT: "erhaltenes Guthaben",
        Kind.REFRESH_DONE: "das Guthaben eines neuen Zyklus",
        Kind.REFRESH_FAILED: "Guthaben, das du diesmal nicht bekommen hast",
        Kind.REMINDER: "Erinnerungen an kommendes Guthaben",
        Kind.CORRECTED: "Korrekturen deines Guthabens",
        Kind.EXPIRING_SOON: "Guthaben, das bald verfällt",
        Kind.LOW_BALANCE: "ein niedriges Guthaben",
        Kind.HOLD_LAPSED: "Guthaben, das wieder verfügbar ist",
    },
)

WORDS: Final = {"en": _ENGLISH, "de": _GERMAN}


def page_of(step: Step, accept_language: str, kind: Kind | None = None) -> bytes:
    """Write the page; ``kind`` is what the link is about, where that is known."""
    language = _language_of(accept_language)
    words = WORDS[language]
    title, text = words.steps[step]
    named = "" if kind is None else f"<strong>{escape(words.kinds[kind])}</strong>"
    form = ""
    if step == "ask":
        form = f'<form method="post"><button>{escape(words.button)}</button></form>'
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(title)}</h1><p>{escape(text).format(kind=named)}</p>{form}"
        "</main></body></html>\n"
    ).encode()


def _language_of(accept_language: str) -> str:
    """Take the first language that there are words in: the one liked best comes first."""
    for wish in accept_language[:200].lower().split(","):
        primary = wish.strip().partition(";")[0].partition("-")[0]
        if primary in WORDS:
            return primary
    return "en"
