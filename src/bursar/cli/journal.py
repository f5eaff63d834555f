"""``bursar journal``: what happened in all wallets."""

from typing import Annotated

import typer

from bursar.cli import entries, output
from bursar.cli.session import Json, Where, single_command, with_ledger
from bursar.ledger import Kind, Ledger

app = single_command()


@app.command()
def journal(
    kind: Annotated[Kind | None, typer.Option("--kind", help="Only entries of this kind.")] = None,
    limit: Annotated[int, typer.Option("--limit", help="How many, 1 to 1000.")] = 20,
    cursor: Annotated[
        str | None, typer.Option("--cursor", help="Go on where a page ended.")
    ] = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """List the entries of all wallets, the newest first."""

    async def ask(ledger: Ledger) -> None:
        page = await ledger.journal(kind=kind, limit=limit, cursor=cursor)
        assets = {int(asset.asset_id): asset for asset in await ledger.assets()}
        holders = await entries.journal_names(ledger, page)
        if as_json:
            output.emit(entries.page_json(page, assets, holders))
        else:
            entries.show_journal(page, assets, holders)

    with_ledger(where, ask)
