"""``bursar doctor``: what endangers the books or the service, and what to do about it (O2)."""

import asyncio
import logging

import typer

from bursar.cli import errors, output
from bursar.cli.session import Json, Where, must_exist, place, single_command
from bursar.operation import diagnose
from bursar.operation.doctor import CHECKS
from bursar.platform.settings import load_settings

app = single_command()


@app.command()
def doctor(where: Where = None, as_json: Json = False) -> None:
    """Look at the server, the database and the books, and say what to do about what is found.

    It changes nothing and is quick: the books themselves are checked by `bursar verify`. Exits
    with 1 when something endangers; advice alone is no danger.
    """
    found = place(where)
    must_exist(found)
    logging.getLogger("psycopg").addHandler(logging.NullHandler())
    told = asyncio.run(diagnose(found, load_settings()))
    if as_json:
        output.emit(
            {
                "sound": told.sound,
                "checks": len(CHECKS),
                "findings": told.findings,
                "facts": told.facts,
            }
        )
    else:
        for finding in told.findings:
            output.say(f"{finding.level}: {finding.found}\n    {finding.todo}")
        number = output.counted(len(CHECKS), "check")
        output.say(f"{number}: {'nothing endangers' if told.sound else 'see the dangers above'}")
    if not told.sound:
        raise typer.Exit(errors.REFUSED)
