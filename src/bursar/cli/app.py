"""``bursar``: which commands there are, and the way in.

A command's module is imported when the command is run, so that help and completion answer at once.
"""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module, metadata
from types import FrameType
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from bursar.cli import errors
from bursar.platform.errors import BursarError

_COMMANDS: Final = {
    "db": "Start, stop and upgrade the database.",
    "backup": "Write a backup of the books.",
    "restore": "Bring a backup back, and check the books.",
    "migrate": "Bring the database's schema up to this program.",
    "economy": "Check, plan and apply the economy file.",
    "clock": "Read the economy's clock, and move that of a sandbox ahead.",
    "asset": "Add and list kinds of credit.",
    "wallet": "Look into a wallet, freeze it, set its limit.",
    "holders": "The directory of people: import, show, change, erase.",
    "post": "Post a file of commands, or a stream of them.",
    "journal": "List the entries of all wallets, the newest first.",
    "program": "Look at programs, switch them, set what one holder has of their own.",
    "run": "Start the run of a period, look at runs, steer them.",
    "grant": "Give by hand, to some or to all.",
    "claim": "Claim for a holder.",
    "next": "Tell what comes next to a holder from every program.",
    "history": "List what programs have given to a holder.",
    "audit": "List who did what to the economy, when and why.",
    "alerts": "List the matters that operators should know of, and close them.",
    "key": "API keys: add, list, rotate, revoke.",
    "token": "Tokens of holders: issue one, rotate the secret that signs them.",
    "notices": "What is told to whom, how it reads, and how its sending stands.",
    "webhook": "Webhooks: add, list, change, rotate, remove, ping, replay.",
    "outage": "Declare windows in which holders could not act.",
    "tick": "Plan all that is due now, and do it.",
    "serve": "Serve the HTTP API.",
    "up": "Everything in one: the database, the API and a worker.",
    "worker": "Keep doing what is due, until told to stop.",
    "sweep": "Put into the books what time has done: lapses and expiries.",
    "verify": "Check the books: every chain, balance, hold, lot and total.",
    "doctor": "Tell what endangers the books or the service, and what to do.",
    "forget": "Forget what only serves machines and is old.",
    "export": "Write the books as Beancount or CSV.",
}
"""A module of this package for each, in the order of the help."""

_INTERRUPTED: Final = 128 + signal.SIGINT
_PIPE_CLOSED: Final = 128 + signal.SIGPIPE


class _Commands(TyperGroup):
    """The commands by name; what is listed is a stub, what is run is loaded."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.commands = {name: TyperCommand(name, help=text) for name, text in _COMMANDS.items()}

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_COMMANDS)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, _, rest = super().resolve_command(ctx, args)
        return name, typer.main.get_command(import_module(f"bursar.cli.{name}").app), rest


app = typer.Typer(
    cls=_Commands, no_args_is_help=True, add_completion=False, rich_markup_mode="markdown"
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bursar {metadata.version('bursar')}")
        raise typer.Exit


@app.callback()
def _bursar(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Say which version this is."
        ),
    ] = False,
) -> None:
    """A ledger for your app's own currency: coins, tokens, credits, points.

    Where the books are: `--db` of a command, else BURSAR_DATABASE_URL, else BURSAR_DATA_DIR, else
    a directory of your own. With `--json` a command answers in JSON, and errors are JSON too.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit; the codes are those of docs/cli.md."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    with suppress(ValueError):  # only the main thread may; a test's runner is not always it
        signal.signal(signal.SIGINT, _interrupt)
    if sys.stdout is None or sys.stderr is None:  # started with closed descriptors
        sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()
    sys.exit(_run(given))


def _run(given: list[str]) -> int:
    """Run one command; whatever was foreseen becomes an exit code and a sentence."""
    as_json = "--json" in given
    try:
        code = typer.main.get_command(app)(given, prog_name="bursar", standalone_mode=False)
        sys.stdout.flush()
    except BursarError as error:
        return errors.report(error, as_json=as_json)
    except TyperException as error:
        return errors.report_usage(error, as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("interrupted\n")
        return _INTERRUPTED
    except BrokenPipeError:
        return _drop_output()
    except SystemExit as end:  # typer's own answer to a closed pipe
        if isinstance(end.__context__, BrokenPipeError):
            return _drop_output()
        raise
    except OSError as error:
        _drop_output()
        return errors.report(errors.of_file(error, error.filename or "output"), as_json=as_json)
    return code if isinstance(code, int) else 0


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """Interrupt whatever is going on, a read that blocks included; asyncio's own would wait."""
    raise KeyboardInterrupt


def _drop_output() -> int:
    """Let the interpreter's last flush go nowhere, rather than fail once more."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return _PIPE_CLOSED


def _nowhere() -> Any:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - open until the end
