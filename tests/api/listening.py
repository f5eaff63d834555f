"""A real server whose inbox is a file, and clients that listen to it.

The inbox is what the test writes into ``inbox.json``: notices by holder. It is served by the
program's own processes, on a database of the test's own.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
from litestar.types import ASGIApp

from bursar.api.app import application, behind_gate
from bursar.api.hub import Tip
from bursar.api.server import run_server
from bursar.api.services import Services
from bursar.api.streams import Pace, Streams
from bursar.notices.inbox.service import Inboxes
from bursar.notices.model import InboxNotice, Kind, NoticeId
from bursar.notices.program_kinds import ProgramKinds
from bursar.platform.errors import Missing, Unavailable
from bursar.platform.settings import Settings, load_settings
from tests.support.running import Running, children, kept_port

ROOT = Path(__file__).parents[2]
QUICK = Pace(look_s=0.02, beat_s=0.2, check_s=0.2, blocked_s=0.5)
PATH = "/v1/me/inbox/events"
AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


class Contents(msgspec.Struct):
    """What is in the inboxes: by holder, the numbers of notices and whether each was read."""

    holders: dict[str, dict[int, bool]] = {}
    away: bool = False
    broken: bool = False
    unreadable: bool = False
    padding: int = 0


class FileInbox:
    """An inbox as the file says at the moment; holders are numbered in their order there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _read(self) -> Contents:
        found = msgspec.json.decode(self._path.read_bytes(), type=Contents)
        if found.away:
            raise Unavailable("database_unavailable", "away, for a test")
        return found

    def _of(self, holder_id: int) -> dict[int, bool]:
        return list(self._read().holders.values())[holder_id - 1]

    async def number_of(self, holder: str) -> int:
        holders = list(self._read().holders)
        if holder not in holders:
            raise Missing("holder_unknown", f"there is no holder {holder!r}", holder=holder)
        return holders.index(holder) + 1

    async def tips(self, holder_ids: Sequence[int]) -> dict[int, Tip]:
        return {
            one: (max(self._of(one), default=0), await self.unread_of(one)) for one in holder_ids
        }

    async def newest(self, holder_id: int) -> int:
        return max(self._of(holder_id), default=0)

    async def since(self, holder_id: int, number: int, *, limit: int) -> list[InboxNotice]:
        contents = self._read()
        if contents.unreadable:
            self._path.with_suffix(".tried").touch()
            raise Unavailable("database_unavailable", "away just now, for a test")
        if contents.broken:
            raise ValueError("broken, for a test")
        after = sorted(one for one in self._of(holder_id) if one > number)[:limit]
        return [notice(holder_id, one, "x" * contents.padding) for one in after]

    async def unread_of(self, holder_id: int) -> int:
        return sum(not read for read in self._of(holder_id).values())


def notice(holder_id: int, number: int, padding: str = "") -> InboxNotice:
    """Make a notice; its text would end a line if JSON let it."""
    return InboxNotice(
        notice_id=NoticeId(UUID(int=number)),
        holder_id=holder_id,
        kind=Kind.DEPOSIT,
        happened_at=AT,
        data={"amount": number, "reference": "two\nlines" + padding},
        number=number,
        made_at=AT,
    )


async def items_of(_holder: str, found: Sequence[InboxNotice]) -> list[object]:
    """Show of notices what a test looks at."""
    return [{"number": one.number, "kind": one.kind, **one.data} for one in found]


def make(url: str, inbox: Path | None, pace: Pace, settings: Settings) -> ASGIApp:
    """Make the application with its endpoint, and the file for an inbox or the ledger's own."""

    async def open_services() -> Services:
        opened = await Services.open(url, settings)
        found = FileInbox(inbox) if inbox else Inboxes(opened.ledger, ProgramKinds())
        opened.streams = Streams(found, items_of, opened.access, pace=pace)
        return opened

    return behind_gate(application(open_services, settings), settings)


class Inbox:
    """The file, as a test writes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.contents = Contents({"maria": {}, "jun": {}})
        self.write()

    def write(self, **more: Any) -> None:
        """Write what there is, at once; ``more`` are fields to change before."""
        for name, value in more.items():
            setattr(self.contents, name, value)
        new = self.path.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(self.contents))
        new.replace(self.path)

    def put(self, holder: str, *numbers: int, read: bool = False) -> None:
        """Put notices in; those that are there are read, or not, from now on."""
        self.contents.holders[holder] |= dict.fromkeys(numbers, read)
        self.write()


class Told(msgspec.Struct, frozen=True):
    """An event, or a comment, as it came."""

    name: str = ""
    id: str | None = None
    data: Any = None
    retry: str | None = None
    comment: str | None = None


class Client:
    """One who listens; reads event by event, each waited for."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.iter_lines()
        self.events = self._events()

    def _events(self) -> Iterator[Told]:
        fields: dict[str, Any] = {}
        for line in self._lines:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            match name:
                case "":
                    if line:
                        fields["comment"] = value
                    elif fields:
                        yield Told(**fields)
                        fields = {}
                case "event":
                    fields["name"] = value
                case "data":
                    assert "data" not in fields, "a second line of data"
                    fields["data"] = json.loads(value)
                case _:
                    fields[name] = value
        assert not fields, f"the stream ends within an event: {fields}"

    def next(self, *names: str) -> Told:
        """Wait for an event, of these names if any are given."""
        for told in self.events:
            if told.name and (not names or told.name in names):
                return told
        raise AssertionError(f"the stream has ended, and there was no {names}")

    def rest(self) -> list[Told]:
        """Read to the end, which must be one that the server has said."""
        return list(self.events)


@contextmanager
def serving(
    url: str, inbox: Inbox | None, log: Path, *, pace: Pace = QUICK, **settings: object
) -> Iterator[Running]:
    """Serve the inbox until the block ends."""
    wanted = {"holder_per_minute": 1_000_000, "open_metrics": "on", "log_json": "on", **settings}
    named = {f"BURSAR_{name.upper()}": str(value) for name, value in wanted.items()}
    told = msgspec.json.encode(pace).decode()
    command = [
        sys.executable,
        "-m",
        __name__,
        url,
        str(inbox.path) if inbox else "",
        told,
    ]
    with kept_port() as port:
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*command, str(port)], env=os.environ | named, stderr=file, cwd=ROOT
            )
        one = Running(process, port, log)
        try:
            one.until("serving", int(str(settings.get("processes", 1))))
            yield one
        finally:
            for pid in children(process.pid) | {process.pid}:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()


@contextmanager
def listen(url: str, token: str, last: object = None, **headers: str) -> Iterator[Client]:
    """Listen to an inbox until the block ends."""
    given = {"authorization": f"Bearer {token}"} | headers
    if last is not None:
        given["last-event-id"] = str(last)
    with httpx.stream("GET", url + PATH, headers=given, timeout=60) as answer:
        client = Client(answer)  # kept here: a reader that nobody has closes what it reads
        yield client


if __name__ == "__main__":
    given_url, given_inbox, given_pace, given_port = sys.argv[1:5]
    settings_ = load_settings({**os.environ, "BURSAR_PORT": given_port})
    pace_ = msgspec.json.decode(given_pace, type=Pace)
    inbox_ = Path(given_inbox) if given_inbox else None
    run_server(partial(make, given_url, inbox_, pace_, settings_), settings_)
