"""``bursar claim``: claim for a holder (P20)."""

from bursar.cli import output
from bursar.cli.running import ProgramName, with_programs
from bursar.cli.session import (
    Actor,
    Holder,
    Json,
    Where,
    actor_or_me,
    asset_named,
    single_command,
)
from bursar.programs.service import Programs

app = single_command()


@app.command()
def claim(
    program: ProgramName,
    holder: Holder,
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Claim for a holder, as they could themselves; claimed before is no error, and brings 0."""

    async def act(programs: Programs) -> None:
        answer = await programs.claim(program, holder, actor=actor_or_me(actor))
        if as_json:
            output.emit(answer)
            return
        code = (await programs.program(program)).program.asset
        asset = await asset_named(programs.ledger, code)
        if answer.already:
            output.say(f"{answer.period} has been claimed before: nothing was given")
        else:
            output.say(f"{output.amount(answer.awarded, asset.scale, code)} for {answer.period}")
        pairs = [("streak", str(answer.streak))]
        if answer.balance is not None:
            pairs.append(("balance", output.amount(answer.balance, asset.scale, code)))
        pairs.append(("next claim", f"{output.instant(answer.next_available_at)} UTC"))
        output.facts(pairs)

    with_programs(where, act)
