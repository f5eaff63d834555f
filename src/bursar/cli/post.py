"""``bursar post``: commands from a file or a stream into the books, an answer for each (L2, L3)."""

import os
import stat
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

import msgspec
import typer

from bursar.cli import errors, lines, output
from bursar.cli.lines import Line, Problem
from bursar.cli.progress import Meter, meter
from bursar.cli.session import Actor, Json, Reason, Where, actor_or_me, single_command, with_ledger
from bursar.ledger import MAX_BATCH, Ledger, Result, Status
from bursar.platform.errors import BursarError, Invalid

app = single_command()

_SHOWN: Final = 20


class _Answer(msgspec.Struct, omit_defaults=True):
    """What became of one line; balances are in minor units."""

    line: int
    status: Status
    seq: int | None = None
    balance: int | None = None
    message: str | None = None
    fields: dict[str, object] | None = None


@app.command()
def post(
    reason: Reason,
    file: Annotated[
        str, typer.Argument(metavar="[FILE|-]", help="JSON Lines; - is standard input.")
    ] = "-",
    actor: Actor = None,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, max=MAX_BATCH, help="Commands a transaction.")
    ] = 1_000,
    check: Annotated[
        bool, typer.Option("--check", help="Check the file and post nothing.")
    ] = False,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Post commands, one JSON object a line; answer each with a JSON line, in order.

    A file is checked whole before anything is posted. Standard input is posted as it comes.
    Either may be sent again: what is in the books already is answered as replayed.
    """
    with ExitStack() as stack:
        stream, seekable = _open(file, stack)
        job = _Job(stream, actor_or_me(actor), reason, batch_size)

        async def work(ledger: Ledger) -> None:
            if seekable:
                await job.check(ledger, as_json=as_json)
            elif check:
                raise Invalid("option_invalid", "--check needs a file", option="--check")
            if not check:
                size = _size(stream) if seekable else None
                watched = meter("posting", size, wanted=not sys.stdout.isatty())
                await job.post(ledger, stack.enter_context(watched))

        try:
            with_ledger(where, work)
        except BursarError as error:
            if job.posting:
                raise _with_progress(error, job.last_line) from error
            raise
        except (KeyboardInterrupt, BrokenPipeError):
            if job.posting:
                sys.stderr.write(_safe_to_repeat(job.last_line) + "\n")
            raise
    job.summarise(as_json=as_json, checked=check)
    if job.refused:
        raise typer.Exit(errors.REFUSED)


class _Job:
    """One run of `post`: the stream, how far it is, and what was answered."""

    def __init__(self, stream: BinaryIO, actor: str, reason: str, batch_size: int) -> None:
        self.last_line = 0
        self.posting = False
        self._stream = stream
        self._actor = actor
        self._reason = reason
        self._batch_size = batch_size
        self._statuses: Counter[Status] = Counter()
        self._sound = 0

    @property
    def refused(self) -> int:
        """How many commands were answered with a refusal."""
        done = self._statuses[Status.APPLIED] + self._statuses[Status.REPLAYED]
        return self._statuses.total() - done

    async def check(self, ledger: Ledger, *, as_json: bool) -> None:
        """Read the whole file; raises `Invalid` ``file_invalid`` if a line is not sound."""
        assets = {asset.code for asset in await ledger.assets()}
        problems: list[Problem] = []
        count = 0
        for problem in lines.check(self._stream, assets):
            if problem is None:
                self._sound += 1
                continue
            count += 1
            if len(problems) < _SHOWN:
                problems.append(problem)
        if count:
            if not as_json:
                sys.stderr.writelines(f"{problem}\n" for problem in problems)
                if count > len(problems):
                    sys.stderr.write(f"and {count - len(problems):,} more\n")
            found = output.counted(count, "problem")
            shown = {"problems": [problem._asdict() for problem in problems]} if as_json else {}
            raise Invalid(
                "file_invalid", f"{found} in the file; nothing was posted", count=count, **shown
            )
        if not self._sound:
            raise _empty()
        self._stream.seek(0)

    async def post(self, ledger: Ledger, progress: Meter) -> None:
        """Post batch after batch, whole groups in each, up to the end or the first bad line."""
        self.posting = True
        batch: list[Line] = []
        for unit in lines.units(lines.read(self._stream)):
            if isinstance(unit, Problem):
                await self._send(ledger, batch)
                raise Invalid("line_invalid", str(unit), line=unit.number, field=unit.field or None)
            if len(batch) + len(unit) > self._batch_size:
                batch = await self._send(ledger, batch)
            batch += unit
            if len(batch) >= self._batch_size:
                batch = await self._send(ledger, batch)
                progress.at(self._stream.tell() if progress.measured else 0)
        await self._send(ledger, batch)
        if not self._statuses:
            self.posting = False
            raise _empty()

    async def _send(self, ledger: Ledger, batch: list[Line]) -> list[Line]:
        """Post a batch and answer it; returns the next one, empty."""
        if not batch:
            return batch
        commands = [line.command for line in batch]
        results = await ledger.post(commands, actor=self._actor, reason=self._reason)
        self.last_line = batch[-1].number
        self._statuses.update(result.status for result in results)
        answers = [_answer(line, result) for line, result in zip(batch, results, strict=True)]
        sys.stdout.write(msgspec.json.Encoder().encode_lines(answers).decode())
        sys.stdout.flush()
        return []

    def summarise(self, *, as_json: bool, checked: bool) -> None:
        """Say on standard error how it went; standard output is the answers' alone."""
        if checked:
            sys.stderr.write("" if as_json else "the file is sound; nothing was posted\n")
            return
        counts = {status.value: number for status, number in self._statuses.items()}
        if as_json:
            errors.write_json({"last_line": self.last_line, "statuses": counts})
            return
        told = ", ".join(f"{number:,} {status}" for status, number in sorted(counts.items()))
        total = output.counted(self._statuses.total(), "command")
        sys.stderr.write(f"{total}: {told}\n")


def _answer(line: Line, result: Result) -> _Answer:
    if result.entry is not None:
        return _Answer(line.number, result.status, result.entry.seq, result.entry.balance)
    refusal = result.refusal
    if refusal is None:
        return _Answer(line.number, result.status)
    return _Answer(
        line.number, result.status, message=refusal.message, fields=refusal.fields or None
    )


def _open(name: str, stack: ExitStack) -> tuple[BinaryIO, bool]:
    """Open a file, or standard input; tell whether it can be read twice."""
    if name == "-":
        if sys.stdin is None:
            raise Invalid("file_unusable", "standard input is closed", path="-")
        if sys.stdin.isatty():
            sys.stderr.write("reading commands from the terminal; end with Ctrl-D\n")
        return sys.stdin.buffer, False
    try:
        stream = Path(name).open("rb")  # noqa: SIM115 - the stack closes it
    except OSError as error:
        raise errors.of_file(error, name) from error
    stack.enter_context(stream)
    return stream, stat.S_ISREG(os.fstat(stream.fileno()).st_mode)


def _size(stream: BinaryIO) -> int:
    return os.fstat(stream.fileno()).st_size


def _empty() -> Invalid:
    return Invalid("file_empty", "there is no command in it; nothing was posted")


def _with_progress(error: BursarError, last_line: int) -> BursarError:
    """Add to an error how far it went, and what to do."""
    told = f"{error.message.strip()}\n{_safe_to_repeat(last_line)}"
    fields: dict[str, Any] = error.fields | {"last_line": last_line}
    return type(error)(error.code, told, **fields)


def _safe_to_repeat(last_line: int) -> str:
    done = f"committed up to line {last_line}" if last_line else "nothing is known to be committed"
    return f"{done}; the same can be sent again: what was done will be answered as replayed"
