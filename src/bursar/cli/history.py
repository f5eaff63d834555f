"""``bursar history``: what programs have given to a holder (P12)."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from bursar.cli import output
from bursar.cli.run_preview import spelled
from bursar.cli.running import Limit, with_programs
from bursar.cli.session import Holder, Json, Where, single_command
from bursar.programs.service import Programs

app = single_command()

_TOLD_ELSEWHERE: Final = frozenset({"kind", "period", "program", "run"})


@app.command()
def history(
    holder: Holder,
    program: Annotated[
        str | None, typer.Option("--program", help="Only from this program.")
    ] = None,
    limit: Limit = 20,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """List what programs have given to a holder or taken back, the newest first."""

    async def ask(programs: Programs) -> None:
        if program is not None:
            await programs.program(program)
        awards = await programs.history(holder, program=program, limit=limit)
        if as_json:
            output.emit({"items": awards})
            return
        if not awards:
            output.say("nothing yet")
            return
        scales = {asset.code: asset.scale for asset in await programs.ledger.assets()}
        rows = [
            (
                output.instant(award.at),
                award.program,
                award.kind,
                output.change(award.added, scales[award.asset], award.asset),
                output.amount(award.before, scales[award.asset]),
                output.amount(award.after, scales[award.asset]),
                spelled(_inputs(award.metadata), scales[award.asset]),
                "" if award.days_since_last is None else str(award.days_since_last),
                award.reference,
            )
            for award in awards
        ]
        names = ["when (UTC)", "program", "kind", "added>", "before>", "after>", "why"]
        output.tabulate([*names, "days since>", "reference"], rows)

    with_programs(where, ask)


def _inputs(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what an entry tells of how its amount came about: the version and its inputs (L12)."""
    return {name: value for name, value in metadata.items() if name not in _TOLD_ELSEWHERE}
