"""``bursar next``: what comes next to a holder (P13)."""

from bursar.cli import output
from bursar.cli.running import with_programs
from bursar.cli.session import Holder, Json, Where, single_command
from bursar.programs.service import Programs

app = single_command()


@app.command("next")
def next_(holder: Holder, where: Where = None, as_json: Json = False) -> None:
    """Tell what comes next to a holder from every program: when, how much, and why."""

    async def ask(programs: Programs) -> None:
        found = await programs.next_grants(holder)
        if as_json:
            output.emit({"items": found})
            return
        if not found:
            output.say("there is no program that gives again")
            return
        scales = {asset.code: asset.scale for asset in await programs.ledger.assets()}
        rows = [
            (
                one.program,
                output.instant(one.at, none="not known"),
                "" if one.days is None else str(one.days),
                output.amount(one.amount, scales[one.asset], one.asset),
                f"nothing, because of {one.reason}; {one.why}" if one.reason else one.why,
            )
            for one in found
        ]
        output.tabulate(["program", "when (UTC)", "days>", "amount>", "why"], rows)

    with_programs(where, ask)
