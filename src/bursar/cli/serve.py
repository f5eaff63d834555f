"""``bursar serve``: the HTTP API (I1)."""

from typing import Annotated

import msgspec
import typer

from bursar.cli.session import Where, must_exist, place, single_command
from bursar.platform.place import ready
from bursar.platform.settings import Settings, load_settings

app = single_command()

Host = Annotated[str | None, typer.Option("--host", help="Where to listen, else BURSAR_HOST.")]
Port = Annotated[
    int | None, typer.Option("--port", min=1, max=65_535, help="Which port, else BURSAR_PORT.")
]
Processes = Annotated[
    int | None,
    typer.Option("--processes", min=1, max=64, help="How many, else BURSAR_PROCESSES or 1."),
]


@app.command()
def serve(
    host: Host = None,
    port: Port = None,
    processes: Processes = None,
    where: Where = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Log JSON on a terminal, too.", rich_help_panel="Everywhere"),
    ] = False,
) -> None:
    """Serve the HTTP API until SIGTERM or Ctrl-C, which lose no accepted request.

    A second signal ends it at once. Of several processes one that dies is put anew.
    Keys come from `bursar key add`. `/health/ready` tells whether it is ready, `/reference` what
    may be asked. It logs on standard error: JSON lines, unless that is a terminal.
    """
    from bursar.api.server import serve as run  # noqa: PLC0415 - the web's libraries are slow

    found = place(where)
    must_exist(found)
    ready(found)
    run(where, settings_with(host, port, processes), log_json=as_json)


def settings_with(host: str | None, port: int | None, processes: int | None) -> Settings:
    """Let what the command line says win over the environment."""
    given = {"host": host, "port": port, "processes": processes}
    return msgspec.structs.replace(load_settings(), **{k: v for k, v in given.items() if v})
