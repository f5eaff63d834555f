"""The words of letters: who reads, what was rendered, what is wrong in a template. Pure."""

from collections.abc import Mapping

import msgspec


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """For whom a text is written.

    ``locale`` may be any language tag or None; ``name`` is empty if nobody is to be greeted.
    ``scales`` are the decimals of each asset, ``names`` what people call it, by asset and language.
    Without ``unsubscribe_url`` a letter says nothing of unsubscribing.
    """

    language: str
    locale: str | None
    zone: str
    name: str
    scales: Mapping[str, int]
    names: Mapping[str, Mapping[str, str]]
    product: str
    unsubscribe_url: str = ""


class Brief(msgspec.Struct, frozen=True):
    """A notice in two lines, for an inbox."""

    subject: str
    summary: str


class Rendered(Brief, frozen=True):
    """A notice as a letter: plain text, and the same as HTML."""

    text: str
    html: str


class Failure(msgspec.Struct, frozen=True, order=True):
    """What is wrong in a template; line 0 is the file as a whole."""

    file: str
    line: int
    what: str
