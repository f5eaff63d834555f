"""Versions in headers: `ETag` names what was read, `If-Match` what a change is meant for.

``If-None-Match: *`` is for what must not be there yet.
"""

from typing import Final

from bursar.platform.errors import Invalid

_LONGEST: Final = 200


def etag(version: object) -> str:
    """Write a version as an entity tag."""
    return f'"{version}"'


def if_match(given: str | None) -> str | None:
    """Read the version of an `If-Match`; None where there is none or ``*``.

    Raises `Invalid` ``if_match`` for a list, a weak tag, or what is no tag.
    """
    if given is None or given == "*":
        return None
    tag = given[1:-1]
    quoted = len(given) > 2 and given[0] == given[-1] == '"'
    if not quoted or '"' in tag or not tag.isprintable() or len(tag) > _LONGEST:
        raise Invalid("if_match", 'If-Match is one entity tag, as ETag gave it: "…"')
    return tag


def if_none_match(given: str | None) -> bool:
    """Say whether nothing may be there yet; raises `Invalid` ``if_match`` for all but ``*``."""
    if given not in (None, "*"):
        raise Invalid("if_match", "If-None-Match is * here: only what is not there is made")
    return given == "*"
