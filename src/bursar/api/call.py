"""One request: who calls, and what the headers that every endpoint shares say."""

from functools import cache
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.exceptions import InternalServerException
from litestar.types import Receive

from bursar.access import Caller
from bursar.api.segments import read_segment
from bursar.api.services import Services
from bursar.platform.errors import Denied, Invalid

_LONGEST_KEY: Final = 200


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


class Call(Request[Any, Any, Any]):
    """A request as the handlers see it."""

    @property
    def path_params(self) -> dict[str, Any]:
        """The names in the path, as the caller meant them; see `segments`."""
        found = super().path_params.items()
        return {k: read_segment(v) if isinstance(v, str) else v for k, v in found}

    async def body(self) -> bytes:
        """Read the body; raises `Invalid`: no UTF-8 ``request_invalid``, or ``body_cut_off``."""
        try:
            body = await super().body()
            body.decode()
        except InternalServerException:  # the framework's word for a client that went away
            raise cut_off() from None
        except UnicodeDecodeError:
            raise Invalid("request_invalid", "the body is not UTF-8") from None
        return body

    async def json(self) -> Any:
        """Read the body as what its endpoint takes, exactly: a number in quotes is no number.

        Raises `Invalid` ``request_invalid``.
        """
        field = self.route_handler.parsed_data_field
        kind = Any if field is None else field.annotation
        try:
            return _decoder(kind).decode(await self.body())
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Invalid("request_invalid", str(error)) from None

    @property
    def services(self) -> Services:
        """The capabilities."""
        services: Services = self.scope["litestar_app"].state.services
        return services

    @property
    def caller(self) -> Caller:
        """Who calls; only behind `authorize`."""
        caller: Caller = self.scope["caller"]  # type: ignore[typeddict-item]
        return caller

    @property
    def holder(self) -> str:
        """Whose token this is, by the app's own id."""
        holder = self.caller.holder
        if holder is None:
            raise Denied("credential_invalid", "this is no holder's token")
        return holder

    @property
    def idempotency_key(self) -> str | None:
        """The `Idempotency-Key`; raises `Invalid` ``idempotency_key`` for what is none."""
        return idempotency_key(self.scope)


def idempotency_key(scope: Any) -> str | None:
    """Read the `Idempotency-Key` of a request; two that differ are none."""
    found = {value for name, value in scope["headers"] if name == b"idempotency-key"}
    if not found:
        return None
    if len(found) > 1:
        raise Invalid(
            "idempotency_key", "a request has one Idempotency-Key", field="Idempotency-Key"
        )
    key: str = found.pop().decode("latin-1")
    if len(key) > 1 and key[0] == key[-1] == '"':  # written as a structured field
        key = key[1:-1]
    if not 0 < len(key) <= _LONGEST_KEY or not key.isprintable():
        raise Invalid(
            "idempotency_key",
            f"an Idempotency-Key is 1 to {_LONGEST_KEY} printable characters",
            field="Idempotency-Key",
        )
    return key


async def read_body(receive: Receive, most: int) -> bytes:
    """Read a whole body; raises `Invalid` ``body_too_large``, ``body_cut_off``."""
    message: Any = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False) and message["type"] == "http.request":
        return body
    parts = [body]
    size = len(body)
    while message["type"] == "http.request" and message.get("more_body", False):
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise too_large(most)
    if message["type"] != "http.request":
        raise cut_off()
    return b"".join(parts)


def cut_off() -> Invalid:
    """Say that a body did not come to its end."""
    return Invalid("body_cut_off", "the client went away before its body was here")


def too_large(most: int) -> Invalid:
    """Say that a body is too large."""
    return Invalid("body_too_large", f"a request's body has at most {most} bytes", bytes=most)
