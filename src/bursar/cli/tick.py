"""``bursar tick``: plan all that is due now, and do it (P1)."""

from bursar.cli.running import (
    NoWork,
    exit_code,
    finish_all,
    leave,
    running,
    tell_all,
    with_programs,
)
from bursar.cli.session import Json, Where, single_command
from bursar.programs.service import Programs

app = single_command()


@app.command()
def tick(no_work: NoWork = False, where: Where = None, as_json: Json = False) -> None:
    """Plan all that is due now and do it, a line a run; a worker does it all the time.

    Nobody is sent word of it: `bursar notices send` does that, or a worker. It ends with 1 if a
    run sets somebody aside or halts.
    """

    async def act(programs: Programs) -> int:
        made = await programs.tick()
        reports = {r.run.run_id: r for r in await running(programs)}
        if not no_work:
            done = await finish_all(programs, [*reports.values()], as_json=as_json)
            reports = {r.run.run_id: r for r in done}
        for run_id in {*made.begun, *made.waiting} - {*reports}:
            reports[run_id] = await programs.runs.report(run_id)
        told = [reports[run_id] for run_id in sorted(reports)]
        await tell_all(programs, told, as_json=as_json)
        return exit_code(*told)

    leave(with_programs(where, act))
