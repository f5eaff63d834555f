"""What is sent, and how it is signed, as Standard Webhooks 1.0 says (N3). Pure.

The body is ``{"type": kind, "timestamp": when it happened, "data": {"run", "notices": [...]}}``;
what is signed is the id, the instant of sending and the body. The id stays the same however often
a delivery is sent: a receiver that has seen it has nothing left to do.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from standardwebhooks import Webhook

from bursar import __version__
from bursar.notices.webhooks.model import Batch, Told

PREFIX: Final = "whsec_"
RANDOM_BYTES: Final = 32
PING: Final = "ping"


def spell(random: bytes) -> str:
    """Spell a secret of 32 random bytes, as receivers' libraries take it."""
    if len(random) != RANDOM_BYTES:
        raise ValueError("a secret is of 32 bytes")
    return PREFIX + b64encode(random).decode()


def body_of(what: str, happened_at: datetime, batch: Batch, names: Mapping[int, str]) -> bytes:
    """Write the JSON of a delivery; ``names`` are the holders' external ids.

    Whoever has none any more, because they were erased, is null.
    """
    notices = [_notice(told, names) for told in batch.notices]
    return msgspec.json.encode(
        {"type": what, "timestamp": happened_at, "data": {"run": batch.run, "notices": notices}}
    )


def headers_of(
    webhook_id: str, now: datetime, body: bytes, secrets: Sequence[str]
) -> dict[str, str]:
    """Sign a body with every secret: while one replaces another a receiver may know either."""
    text = body.decode()
    signed = " ".join(Webhook(secret).sign(webhook_id, now, text) for secret in secrets)
    return {
        "content-type": "application/json",
        "user-agent": f"Bursar/{__version__}",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signed,
    }


def _notice(told: Told, names: Mapping[int, str]) -> dict[str, object]:
    holder = None if told.holder_id is None else names.get(told.holder_id)
    own = {"id": told.id, "holder": holder, "happened_at": told.happened_at}
    return own | told.data | own  # first, and never overwritten
