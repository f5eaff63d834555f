"""``bursar token``: what a holder's app or browser reads and claims with (I2)."""

from typing import Annotated

import typer

from bursar.access import Access, Token
from bursar.cli import errors, output
from bursar.cli.accessing import seconds_of, with_access
from bursar.cli.session import Actor, Holder, Json, Reason, Where, actor_or_me, command_group

app = command_group("Tokens of holders: issue one, rotate the secret that signs them.")


@app.command()
def issue(
    holder: Holder,
    ttl: Annotated[str, typer.Option("--ttl", help="How long it is good: 90s, 15m, 24h.")] = "15m",
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Issue a token for a holder, alone on standard output; it names who had it made."""
    ttl_s = seconds_of(ttl, "--ttl")

    async def act(access: Access) -> Token:
        return await access.issue_token(holder, ttl_s=ttl_s, actor=actor_or_me(actor))

    token = with_access(where, act)
    if as_json:
        output.emit(token)
        return
    errors.tell(f"a token for {holder}, good until {output.instant(token.expires_at)} UTC")
    output.say(token.text)


@app.command()
def rotate(
    overlap: Annotated[
        str,
        typer.Option("--overlap", help="How long tokens made before are good; 0 is not at all."),
    ],
    reason: Reason,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Sign tokens with a new secret."""
    overlap_s = seconds_of(overlap, "--overlap")

    async def act(access: Access) -> None:
        await access.rotate_token_secret(
            overlap_s=overlap_s, actor=actor_or_me(actor), reason=reason
        )

    with_access(where, act)
    if as_json:
        output.emit({"overlap_s": overlap_s})
    elif overlap_s:
        output.say(f"tokens have a new secret; those made before are good for {overlap} at most")
    else:
        output.say("tokens have a new secret; those made before are good no longer")
