"""``bursar forget``: forget what only serves machines and is old (O2)."""

from typing import Annotated

import typer

from bursar.cli import output
from bursar.cli.running import operation_of
from bursar.cli.session import Actor, Json, Where, actor_or_me, single_command, with_ledger
from bursar.ledger import Ledger
from bursar.operation import Forgotten
from bursar.platform.settings import load_settings

app = single_command()


@app.command()
def forget(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count it only.")] = False,
    actor: Actor = None,
    reason: Annotated[
        str, typer.Option("--reason", help="Why; kept in the audit trail.")
    ] = "asked for",
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Forget what only serves machines and is older than BURSAR_KEEP_DAYS, as a worker does.

    These are resolved failures, who was left out of ended runs, closed alerts and old checks of
    the books; never entries, postings, the audit trail or the past of holders.
    """

    async def work(ledger: Ledger) -> Forgotten:
        operation = operation_of(ledger)
        if dry_run:
            return await operation.forgettable()
        return await operation.forget(actor=actor_or_me(actor), reason=reason)

    done = with_ledger(where, work)
    if as_json:
        output.emit(
            {
                "dry_run": dry_run,
                "older_than_days": load_settings().keep_days,
                "failures": done.failures,
                "exclusions": done.exclusions,
                "alerts": done.alerts,
                "verifications": done.verifications,
            }
        )
        return
    verb = "would be forgotten" if dry_run else "forgotten"
    output.facts(
        [
            ("older than", f"{load_settings().keep_days} days, {verb}:"),
            ("failures", output.amount(done.failures, 0)),
            ("exclusions", output.amount(done.exclusions, 0)),
            ("alerts", output.amount(done.alerts, 0)),
            ("checks", output.amount(done.verifications, 0)),
        ]
    )
