"""``bursar wallet``: look into one wallet, and set what an operator may set."""

from typing import Annotated, Literal

import typer

from bursar.cli import entries, output
from bursar.cli.session import (
    Actor,
    AssetCode,
    Holder,
    Json,
    Reason,
    Reference,
    Where,
    actor_or_me,
    asset_named,
    command_group,
    instant_of,
    minor_units,
    reference_or_new,
    with_ledger,
)
from bursar.cli.wallet_view import explanation_json, show_explanation, wallet_facts
from bursar.ledger import (
    AnyCommand,
    Asset,
    Filter,
    Kind,
    Ledger,
    Result,
    SetLimit,
    SetState,
    Status,
    Wallet,
    WalletState,
)
from bursar.platform.errors import Rejected

app = command_group("Look into a wallet, freeze it, set its limit.")


@app.command()
def show(holder: Holder, asset: AssetCode, where: Where = None, as_json: Json = False) -> None:
    """Show a wallet as it stands now."""

    async def ask(ledger: Ledger) -> None:
        wallet = await ledger.wallet(holder, asset)
        if as_json:
            output.emit(wallet)
        else:
            wallet_facts(wallet, await asset_named(ledger, asset))

    with_ledger(where, ask)


@app.command()
def statement(
    holder: Holder,
    asset: AssetCode,
    kind: Annotated[
        list[Kind] | None, typer.Option("--kind", help="Only of this kind; may be repeated.")
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", help="Only of this source; may be repeated.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", help="Recorded from then on.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Recorded before then.")] = None,
    limit: Annotated[int, typer.Option("--limit", help="How many, 1 to 1000.")] = 20,
    cursor: Annotated[
        str | None, typer.Option("--cursor", help="Go on where a page ended.")
    ] = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """List a wallet's entries, the newest first."""
    wanted = Filter(
        kinds=tuple(kind or ()),
        sources=tuple(source or ()),
        since=None if since is None else instant_of(since, "--since"),
        until=None if until is None else instant_of(until, "--until"),
    )

    async def ask(ledger: Ledger) -> None:
        page = await ledger.statement(holder, asset, wanted=wanted, limit=limit, cursor=cursor)
        found = await asset_named(ledger, asset)
        if as_json:
            holders = {entry.holder_id: holder for entry in page.items}
            output.emit(entries.page_json(page, {int(found.asset_id): found}, holders))
        else:
            entries.show_statement(page, found)

    with_ledger(where, ask)


@app.command("balance-at")
def balance_at(
    holder: Holder,
    asset: AssetCode,
    at: Annotated[str, typer.Argument(metavar="INSTANT", help="2026-03-31T18:30:00Z, or a day.")],
    by: Annotated[
        Literal["recorded", "effective"],
        typer.Option("--by", help="As the books said then, or as later entries dated it."),
    ] = "recorded",
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Tell the balance as of an instant."""
    instant = instant_of(at, "INSTANT")

    async def ask(ledger: Ledger) -> None:
        balance = await ledger.balance_at(holder, asset, at=instant, by=by)
        found = await asset_named(ledger, asset)
        if as_json:
            answer = {"holder": holder, "asset": asset, "at": instant, "by": by}
            output.emit(answer | {"balance": balance})
        else:
            output.say(output.amount(balance, found.scale, found.code))

    with_ledger(where, ask)


@app.command()
def explain(holder: Holder, asset: AssetCode, where: Where = None, as_json: Json = False) -> None:
    """Say why the balance is what it is."""

    async def ask(ledger: Ledger) -> None:
        answer = await ledger.explain(holder, asset)
        if as_json:
            output.emit(explanation_json(answer))
        else:
            show_explanation(answer, await asset_named(ledger, asset))

    with_ledger(where, ask)


@app.command()
def freeze(
    holder: Holder,
    asset: AssetCode,
    reason: Reason,
    reference: Reference = None,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Stop all spending; credit still arrives, and holds can be captured and released."""
    voice = (reason, reference, actor)
    _set_state(where, holder, asset, WalletState.FROZEN, voice, as_json, unless=WalletState.CLOSED)


@app.command()
def unfreeze(
    holder: Holder,
    asset: AssetCode,
    reason: Reason,
    reference: Reference = None,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Let a frozen wallet spend again."""
    voice = (reason, reference, actor)
    _set_state(where, holder, asset, WalletState.ACTIVE, voice, as_json, unless=WalletState.CLOSED)


@app.command()
def close(
    holder: Holder,
    asset: AssetCode,
    reason: Reason,
    reference: Reference = None,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Close an empty wallet; it takes nothing until it is opened again."""
    _set_state(where, holder, asset, WalletState.CLOSED, (reason, reference, actor), as_json)


@app.command()
def reopen(
    holder: Holder,
    asset: AssetCode,
    reason: Reason,
    reference: Reference = None,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Open a closed wallet again."""
    voice = (reason, reference, actor)
    _set_state(where, holder, asset, WalletState.ACTIVE, voice, as_json, unless=WalletState.FROZEN)


@app.command()
def limit(
    holder: Holder,
    asset: AssetCode,
    amount: Annotated[
        str, typer.Argument(metavar="AMOUNT", help="In the asset's units, as it is shown: 12.50.")
    ],
    reason: Reason,
    reference: Reference = None,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Let the wallet go below zero by as much as AMOUNT; 0 takes the credit line away."""

    async def act(ledger: Ledger) -> None:
        await ledger.wallet(holder, asset)
        found = await asset_named(ledger, asset)
        command = SetLimit(
            holder=holder,
            asset=asset,
            reference=reference_or_new(reference),
            limit=minor_units(amount, found),
        )
        result = await _post(ledger, command, reason, actor)
        said = f"the limit is {output.amount(command.limit, found.scale, found.code)}"
        _answer(result, await ledger.wallet(holder, asset), found, said, as_json)

    with_ledger(where, act)


_Voice = tuple[str, str | None, str | None]


def _set_state(
    where: str | None,
    holder: str,
    asset: str,
    state: WalletState,
    voice: _Voice,
    as_json: bool,
    *,
    unless: WalletState | None = None,
) -> None:
    """Set a state. A wallet must be there already: a misspelt holder must not get a new one."""
    reason, reference, actor = voice

    async def act(ledger: Ledger) -> None:
        wallet = await ledger.wallet(holder, asset)
        if wallet.state is unless:
            raise Rejected(
                "wallet_state",
                f"the wallet is {wallet.state.value}: "
                + ("open it with reopen" if unless is WalletState.CLOSED else "use unfreeze"),
                state=wallet.state.value,
            )
        command = SetState(
            holder=holder, asset=asset, reference=reference_or_new(reference), state=state
        )
        result = await _post(ledger, command, reason, actor)
        found = await asset_named(ledger, asset)
        wallet = await ledger.wallet(holder, asset)
        _answer(result, wallet, found, f"the wallet is {wallet.state.value}", as_json)

    with_ledger(where, act)


async def _post(ledger: Ledger, command: AnyCommand, reason: str, actor: str | None) -> Result:
    [result] = await ledger.post([command], actor=actor_or_me(actor), reason=reason)
    result.unwrap()
    return result


def _answer(result: Result, wallet: Wallet, asset: Asset, said: str, as_json: bool) -> None:
    entry = result.unwrap()
    if as_json:
        shape = output.entry_json(entry, asset=asset.code, holder=wallet.holder)
        output.emit({"status": result.status, "entry": shape, "wallet": wallet})
    elif result.status is Status.REPLAYED:
        output.say(f"done before, as entry {entry.seq}; now {said}")
    else:
        output.say(f"{said} (entry {entry.seq}, reference {entry.reference})")
