"""``bursar sweep``: put into the books what time has done."""

from bursar.cli import output
from bursar.cli.session import Json, Where, single_command, with_ledger
from bursar.ledger import Ledger

app = single_command()

_AT_ONCE = 1_000


@app.command()
def sweep(where: Where = None, as_json: Json = False) -> None:
    """Put into the books what time has done: lapses of holds and expiries of lots.

    Balances honour them in any case; run this now and then, so that the books say so too.
    """

    async def work(ledger: Ledger) -> int:
        swept = await ledger.sweep(limit=_AT_ONCE)
        last = swept
        while last == _AT_ONCE:
            last = await ledger.sweep(limit=_AT_ONCE)
            swept += last
        return swept

    wallets = with_ledger(where, work)
    if as_json:
        output.emit({"wallets": wallets})
    else:
        said = output.counted(wallets, "wallet was", "wallets were")
        output.say(f"{said} due" if wallets else "nothing was due")
