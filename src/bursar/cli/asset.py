"""``bursar asset``: kinds of credit."""

from typing import Annotated

import typer

from bursar.cli import output
from bursar.cli.session import (
    BY_HAND,
    Actor,
    AssetCode,
    Json,
    Reason,
    Where,
    actor_or_me,
    command_group,
    with_ledger,
)

app = command_group("Add and list kinds of credit.")


@app.command()
def add(
    code: AssetCode,
    scale: Annotated[int, typer.Option("--scale", help="Decimal places, 0 to 12; for good.")] = 0,
    reason: Reason = BY_HAND,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Add an asset; the same again is no error. Makes the ledger, if there is none yet."""
    asset = with_ledger(
        where,
        lambda ledger: ledger.add_asset(code, scale=scale, actor=actor_or_me(actor), reason=reason),
        create=True,
    )
    if as_json:
        output.emit(asset)
    else:
        unit = output.amount(10**asset.scale, asset.scale, asset.code)
        minor = f"{output.amount(10**asset.scale, 0)} minor units are {unit}"
        output.say(f"{code}: " + (minor if asset.scale else f"amounts are whole {code}"))


@app.command("list")
def list_(where: Where = None, as_json: Json = False) -> None:
    """List the assets."""
    assets = with_ledger(where, lambda ledger: ledger.assets())
    if as_json:
        output.emit({"items": assets})
    elif assets:
        output.tabulate(["asset", "scale>"], [(a.code, str(a.scale)) for a in assets])
    else:
        output.say("no assets yet; add one with `bursar asset add CODE`")
