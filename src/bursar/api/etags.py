"""Versions in headers: `ETag` names what was read, `If-Match` what a change is meant for.

``If-None-Match: *`` is for what must not be there yet.
"""

from typing import Final

from litestar.datastructures import Headers

from bursar.platform.errors import Invalid

_LONGEST: Final = 200


def etag(version: object) -> str:
    """Write a version as an entity tag."""
    return f'"{version}"'


def if_match(headers: Headers, star: str | None = None) -> str | None:
    """Read the version of an `If-Match`; None where there is none, ``star`` for ``*``.

    What always has a version needs no star. Raises `Invalid` ``if_match`` for several, a weak tag,
    or what is no tag.
    """
    given = ", ".join(headers.getall("if-match", []))
    if "if-match" not in headers:
        return None
    if given == "*":
        return star
    tag = given[1:-1]
    quoted = len(given) > 2 and given[0] == given[-1] == '"'
    if not quoted or '"' in tag or not tag.isprintable() or len(tag) > _LONGEST:
        raise Invalid("if_match", 'If-Match is one entity tag, as ETag gave it: "…"')
    return tag


def if_none_match(headers: Headers) -> bool:
    """Say whether only what is not there may be made: `If-None-Match` is ``*``.

    Raises `Invalid` ``if_none_match`` for anything else.
    """
    given = headers.getall("if-none-match", [])
    if given not in ([], ["*"]):
        raise Invalid("if_none_match", "If-None-Match is * for what is to be new, or left out")
    return bool(given)
