"""What the document says in words: about the API, its headers, its refusals, its parameters."""

from collections.abc import Mapping
from typing import Final

ABOUT: Final = """\
Credit lives in **wallets**: one for each holder and asset. A **holder** is whoever your app knows,
by your app's own id. Amounts are whole **minor units** (int64): 1250 of an asset with scale 2 is
12.50. Instants are RFC 3339 with a zone.

**Who asks.** `Authorization: Bearer …` with an API key, or with a holder token for one person.
Every endpoint names the scopes that it is open to; one of them is enough.

**Once.** Whatever moves credit has a `reference`. The same reference with the same content is
answered as the first time and nothing moves again; with other content it is a conflict. So after a
broken connection, send the same request again. The `Idempotency-Key` header may stand for it.

**Lists** answer `items` and `cursor`; ask with that `cursor` for the part that follows. At the
end it is null.

**Refusals** are problem details (RFC 9457) with a stable `code` to branch on, `fields` that a
program needs to act, and the `request_id` to tell whoever operates the server. A request may
have up to 100 headers and 32 KiB of them (431), and must arrive in time (408).
"""

TAGS: Final[Mapping[str, str]] = {
    "Postings": "Movements of credit, one or many, and the journal of all.",
    "Wallets": "What somebody has, what it came from, and what it may do.",
    "Holds": "Credit set aside, to be captured or released.",
    "Holders": "The directory of those who have credit, and what programs know of them.",
    "Assets": "Kinds of credit.",
    "Programs": "Rules that give credit: switched, previewed, run, claimed.",
    "Runs": "Rounds of a program over many holders.",
    "Grants": "Credit given by a person to one or many.",
    "Notices": "What holders are told: kinds, settings, texts, inboxes, preferences.",
    "Webhooks": "Where machines are told, signed with a secret.",
    "Deliveries": "E-mail and webhooks on their way: attempts, dispatches, bounces.",
    "Mine": "What a holder token may ask: one person's own.",
    "Economy": "The economy file: planned, applied, approved; and the sandbox's clock.",
    "Operation": "Whether all is well: health, alerts, audit, verification, export.",
    "Keys": "API keys and holder tokens.",
    "Reference": "This document.",
}

ERRORS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("Invalid", "Malformed: sending it again cannot help"),
    401: ("Unauthorized", "No credentials, or none that are valid"),
    403: ("Forbidden", "These credentials do not allow it"),
    404: ("Missing", "What it names does not exist"),
    408: ("TooSlow", "The request did not arrive in time"),
    409: ("Conflict", "It conflicts with what is there"),
    412: ("PreconditionFailed", "It has changed since it was read"),
    413: ("TooLarge", "The body is too large"),
    422: ("Rejected", "A rule of the economy says no"),
    429: ("TooMany", "Too many requests in a minute"),
    503: ("Unavailable", "Nothing was done; try the same again later"),
}

HEADERS: Final[Mapping[str, tuple[str, str]]] = {
    "X-Request-Id": ("The request's own id if it sent one, else a new one", "checkout-7f3a"),
    "RateLimit": ("Requests left (`r`) and seconds until they are renewed (`t`)",
                  '"default";r=598;t=12'),
    "RateLimit-Policy": ("Requests (`q`) in a window of seconds (`w`)", '"default";q=600;w=60'),
    "Retry-After": ("Seconds to wait before trying again", "2"),
    "WWW-Authenticate": ("How to authenticate", 'Bearer realm="bursar"'),
}  # fmt: skip

PARAMETERS: Final[Mapping[str, str]] = {
    "Idempotency-Key": "The reference, where the body has none. The same key with the same "
    "content is answered as the first time.",
    "If-Match": "The `ETag` that was read; if it has changed since, nothing is done (412).",
    "If-None-Match": "`*`: only what is not there yet is made; else nothing is done (412).",
    "Last-Event-ID": "The id of the last event that was received; the stream goes on after it.",
    "holder": "The holder, by the app's own id; percent-encoded where it has slashes.",
    "asset": "The asset's code.",
    "hold": "The reference under which the hold was placed.",
    "program": "The program's name in the economy file.",
    "run": "The run, as `run_7`.",
    "key": "The key, as `key_3`.",
    "alert": "The alert's number.",
    "version": "A version of the economy.",
    "posting_id": "The posting's number, as entries show it.",
    "limit": "How many at most.",
    "cursor": "Where to go on: the `cursor` of the part before.",
    "kind": "Only of this kind.",
    "source": "Only from this source.",
    "since": "Only from this instant on.",
    "until": "Only before this instant.",
    "at": "The instant.",
    "by": "Which of an entry's times counts: when it was recorded, or took effect.",
    "period": "The period, as the program names it.",
    "actor": "Only acts of this actor.",
    "webhook": "The webhook's number.",
    "delivery": "The delivery's number.",
    "dispatch": "The dispatch's number.",
    "channel": "Only on this channel.",
    "state": "Only what stands so.",
    "language": "The language, by its code.",
    "token": "What stands in the letter's link.",
    "reason": "Why it is done, for the audit trail.",
    "notice": "The notice, by its id.",
    "unread": "Whether only what was not read is listed.",
    "act": "Only acts of this name; `run.*` for all of runs.",
    "subject": "Only acts on this.",
    "format": "The format of the export.",
    "status": "Only holders of this status.",
    "tier": "Only holders of this tier.",
    "verified": "Only holders who are, or are not, verified.",
    "resolved": "Whether what is settled is listed, too.",
    "everything": "Whether keys that no longer work are listed, too.",
    "erased": "Whether erased holders are listed, too.",
}
