"""An answer, after it has come: what it says, or the error that it is."""

from functools import cache
from typing import Any, Final, TypeVar

import httpx
import msgspec

from bursar.client.errors import Broken, BursarError, kind_of
from bursar.client.patience import retry_after_s

T = TypeVar("T")

_LONGEST: Final = 300


class _Problem(msgspec.Struct, frozen=True):
    code: str
    detail: str = ""
    fields: dict[str, Any] = {}
    request_id: str = ""


def read(answer: httpx.Response, kind: type[T]) -> T:
    """Read an answer, its `ETag` included; raises its error, or `Broken` ``answer_unreadable``."""
    if not answer.is_success:
        raise error_of(answer)
    try:
        decoder: msgspec.json.Decoder[T] = _decoder(kind)  # type: ignore[arg-type]
        found = decoder.decode(answer.content or b"null")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Broken(
            "answer_unreadable",
            f"the answer is not what this client expects: {error}",
            status=answer.status_code,
            request_id=answer.headers.get("x-request-id"),
        ) from None
    etag = answer.headers.get("etag")
    if etag is not None and isinstance(found, msgspec.Struct) and hasattr(found, "etag"):
        found = msgspec.structs.replace(found, etag=etag)
    return found


def error_of(answer: httpx.Response) -> BursarError:
    """Tell the error of an answer, also where something else than Bursar has answered."""
    status = answer.status_code
    request_id = answer.headers.get("x-request-id")
    try:
        problem = msgspec.json.decode(answer.content, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        words = " ".join(answer.text.split())[:_LONGEST]
        problem = _Problem(f"http_{status}", words or answer.reason_phrase or "no words")
    fields = dict(problem.fields)
    after_s = retry_after_s(answer.headers.get("retry-after"))
    if after_s is not None:
        fields.setdefault("retry_after_s", after_s)
    return kind_of(status, problem.code)(
        problem.code,
        problem.detail,
        fields=fields,
        status=status,
        request_id=problem.request_id or request_id,
    )


@cache
def _decoder(kind: object) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)
