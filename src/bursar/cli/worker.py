"""``bursar worker``: keep doing what is due, until told to stop (P1, P7)."""

import asyncio
import logging
import os
import signal
from contextlib import suppress
from typing import Annotated, Final

import structlog
import typer

from bursar.cli.running import notices_of, operation_of, with_programs
from bursar.cli.session import Where, single_command
from bursar.notices.duties import duties_of as notice_duties
from bursar.operation import duties_of, name_worker
from bursar.platform.errors import Unavailable
from bursar.platform.settings import load_settings
from bursar.programs.runs.execute import LANES
from bursar.programs.service import Programs
from bursar.programs.worker import Worker

app = single_command()

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_log: Final = structlog.get_logger("bursar.worker")


@app.command()
def worker(
    lanes: Annotated[
        int, typer.Option("--lanes", min=1, max=64, help="Parts of runs done at the same time.")
    ] = LANES,
    tick: Annotated[
        float | None,
        typer.Option(
            "--tick", min=0.1, max=86_400, help="Seconds between plans, else BURSAR_TICK_S or 60."
        ),
    ] = None,
    where: Where = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Log JSON on a terminal, too.", rich_help_panel="Everywhere"),
    ] = False,
) -> None:
    """Plan and do what is due, tell people of it, and sweep the books, until SIGTERM or Ctrl-C.

    Once a day one of the workers checks all the books (BURSAR_VERIFY_HOURS), and forgets what is
    no longer needed (BURSAR_KEEP_DAYS).

    It then finishes what is under way and exits with 0; a second signal ends it at once, which
    loses nothing either. Run as many as you like, on as many machines. A database that goes away
    is waited for. It logs on standard error: JSON lines, unless that is a terminal.
    """

    tick_s = load_settings().tick_s if tick is None else tick

    async def work(programs: Programs) -> None:
        operation, name = operation_of(programs.ledger), name_worker()
        notices = notices_of(programs.ledger, where)
        duties = (*duties_of(operation, name), *notice_duties(notices))
        one = Worker(programs, lanes=lanes, tick_s=tick_s, duties=duties)
        loop = asyncio.get_running_loop()

        def stop(name: str) -> None:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
            _log.info("stopping", signal=name)
            one.stop()

        for number in _SIGNALS:
            loop.add_signal_handler(number, stop, number.name)
        _log.info("working", pid=os.getpid(), lanes=lanes, tick_s=tick_s)
        try:
            await one.run()
        finally:
            await notices.close()
        with suppress(Unavailable):
            await operation.sign_off(name)
        _log.info("stopped")

    with_programs(where, work, connections=lanes + 8, log_level=logging.INFO, log_json=as_json)
