"""``bursar key``: API keys; a secret is written once, alone on standard output (I2)."""

import re
from typing import Annotated

import typer

from bursar.access import Access, Key, KeyId, NewKey
from bursar.cli import errors, output
from bursar.cli.accessing import seconds_of, with_access
from bursar.cli.session import Actor, Json, Reason, Where, actor_or_me, command_group, instant_of
from bursar.platform.errors import Invalid

app = command_group("API keys: add, list, rotate, revoke.")

KeyName = Annotated[str, typer.Argument(metavar="KEY", help="key_7, or 7.")]


@app.command()
def add(
    name: Annotated[str, typer.Option("--name", help="What it is for, as in lists.")],
    owner: Annotated[str, typer.Option("--owner", help="The person or service it belongs to.")],
    scope: Annotated[
        list[str],
        typer.Option("--scope", help="admin, operator, viewer, ingest, partner; several times."),
    ],
    per_minute: Annotated[
        int | None, typer.Option("--per-minute", help="A rate of its own, in requests.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="INSTANT", help="When it ends by itself.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why; kept on record.")] = None,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Add a key. Its secret alone goes to standard output, now and never again."""
    expires_at = None if expires is None else instant_of(expires, "--expires")

    async def act(access: Access) -> NewKey:
        return await access.add_key(
            name,
            owner,
            scope,
            per_minute=per_minute,
            expires_at=expires_at,
            actor=actor_or_me(actor),
            reason="a new key" if reason is None else reason,
        )

    _tell_secret(with_access(where, act), as_json=as_json)


@app.command("list")
def list_(
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that were revoked or have expired.")
    ] = False,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """List the keys; nobody can show their secrets."""
    found = with_access(where, lambda access: access.keys(everything=everything))
    if as_json:
        output.emit({"items": found})
    elif not found:
        output.say("no keys; add one with `bursar key add`")
    else:
        rows = [
            (
                key.subject,
                key.name,
                key.owner,
                " ".join(key.scopes),
                output.instant(key.last_used_at),
                _end(key),
            )
            for key in found
        ]
        output.tabulate(["key", "name", "owner", "may", "last used (UTC)", "ends (UTC)"], rows)


@app.command()
def rotate(
    name: KeyName,
    overlap: Annotated[
        str,
        typer.Option("--overlap", help="How long the old secret works: 24h, 7d; 0 is not at all."),
    ],
    reason: Reason,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Give a key a new secret, written as that of `add`."""
    key_id, overlap_s = _key_number(name), seconds_of(overlap, "--overlap")

    async def act(access: Access) -> NewKey:
        return await access.rotate_key(
            key_id, overlap_s=overlap_s, actor=actor_or_me(actor), reason=reason
        )

    _tell_secret(with_access(where, act), as_json=as_json)


@app.command()
def revoke(
    name: KeyName,
    reason: Reason,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """End a key for good; when this has answered, no process lets it in."""
    key_id = _key_number(name)

    async def act(access: Access) -> Key:
        return await access.revoke_key(key_id, actor=actor_or_me(actor), reason=reason)

    key = with_access(where, act)
    if as_json:
        output.emit(key)
    else:
        output.say(f"{key.subject}: revoked {output.instant(key.revoked_at)} UTC")


def _tell_secret(made: NewKey, *, as_json: bool) -> None:
    """Write what a pipe wants to standard output, and what a person wants beside it."""
    key = made.key
    if as_json:
        output.emit({"key": key, "secret": made.secret})
        return
    ends = "" if key.expires_at is None else f", until {output.instant(key.expires_at)} UTC"
    errors.tell(f"{key.subject}: {key.name} of {key.owner}, may {' '.join(key.scopes)}{ends}")
    if key.rotates_until is not None:
        errors.tell(f"the old secret works until {output.instant(key.rotates_until)} UTC")
    errors.tell("this is the only time that its secret is told")
    output.say(made.secret)


def _end(key: Key) -> str:
    if key.revoked_at is not None:
        return f"revoked {output.instant(key.revoked_at)}"
    return output.instant(key.expires_at)


def _key_number(text: str) -> KeyId:
    """Read the name of a key; raises `Invalid` ``option_invalid``."""
    match = re.fullmatch(r"(?:key_)?([0-9]{1,18})", text)
    if match is None:
        raise Invalid(
            "option_invalid", f"{text!r} is no key; write it like key_7 or 7", option="KEY"
        )
    return KeyId(int(match[1]))
