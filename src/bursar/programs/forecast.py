"""What the next period of a program would cost against the holders there are today (I7)."""

from datetime import datetime

from bursar.platform.database import Connection
from bursar.programs import store
from bursar.programs.judge import Judge
from bursar.programs.library import Compiled, compile_rules
from bursar.programs.model import Once, Period, Program, RunId, RunKind
from bursar.programs.outlook import next_period
from bursar.programs.runs.model import Estimate, Run
from bursar.programs.runs.preview import estimate
from bursar.programs.runs.work import Work


async def forecast(connection: Connection, program: Program) -> Estimate:
    """Judge everybody by a program, in force or not, as if they had been as they are for long.

    Of a claim it is what would be given if everybody claimed for the first time; of a rolling
    program what a whole cycle gives. A signup bonus costs today's holders nothing.
    """
    rules = compile_rules(program)
    now = await store.read_now(connection)
    read = await store.read_programs(connection, program.name)
    period = next_period(program, read[0].standing if read else None, now)
    if isinstance(program.schedule, Once):
        return Estimate(0, 0, 0, 0, {})
    imagined = _imagined(program, period, now)
    work = Work(imagined, Compiled(program, rules, ""), Judge(program, rules, period))
    return await estimate(connection, work)


def _imagined(program: Program, period: Period, now: datetime) -> Run:
    """Describe it as a grant by hand: to whoever qualifies, the whole amount."""
    return Run(
        run_id=RunId(0),
        kind=RunKind.GRANT,
        asset=program.asset,
        period=period,
        as_of=now,
        started_at=now,
        started_by="forecast",
        reason="forecast",
        program=program.name,
        reference=f"forecast:{program.name}",
    )
