"""Texts of requests that are stored: what the database cannot keep is refused at the door."""

from typing import Annotated, Final

import msgspec
from litestar.params import QueryParameter

_PRINTABLE = r"^[^\x00-\x1f\x7f]+$"

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=_PRINTABLE)]
"""A name, an id or a key: 1 to 200 characters, none of them a control character."""

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500, pattern=_PRINTABLE)]
"""Why it is done, for the audit trail: 1 to 500 characters."""

BY_API: Final = "over HTTP"
"""Why, where a movement or a change of a holder does not say it."""

QueryWord = Annotated[str | None, QueryParameter(max_length=200, pattern=_PRINTABLE)]
"""A name that a list is narrowed to."""

QueryReason = Annotated[str, QueryParameter(min_length=1, max_length=500, pattern=_PRINTABLE)]
"""Why it is done, where a request has no body."""


class Because(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why it is done; it is kept in the audit trail."""

    reason: Reason
