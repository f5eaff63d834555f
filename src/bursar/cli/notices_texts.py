"""``bursar notices preview`` and ``templates``: reading and trying the texts; no database (N2)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from bursar.cli import errors, output
from bursar.cli.files import write_whole
from bursar.cli.session import Json
from bursar.notices.kinds import OF_OPERATORS
from bursar.notices.mail.compose import as_bytes, compose, sender_of
from bursar.notices.mail.model import Rendered
from bursar.notices.mail.render import Texts
from bursar.notices.mail.samples import sample_reader
from bursar.notices.model import Kind, notice_id_of
from bursar.notices.service import kind_of, preview_of
from bursar.platform.errors import Invalid
from bursar.platform.settings import load_settings

_FROM: Final = "Sports Club <coins@club.example>"
_TO: Final = "ada@club.example"
_AT: Final = datetime(2026, 12, 1, 9, tzinfo=UTC)
"""When the made-up letters are written: about when what they tell of happens."""


def preview(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="As `notices kinds` lists them.")
    ] = None,
    language: Annotated[
        str, typer.Option("--language", help="Of the texts that there are.")
    ] = "en",
    html: Annotated[bool, typer.Option("--html", help="Only the HTML.")] = False,
    text: Annotated[bool, typer.Option("--text", help="Only the plain text.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Subject, summary, text, HTML.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Write KIND.LANGUAGE as .txt, .html and .eml; without KIND every one.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how a kind reads as a letter, with made-up data; --out writes files to open and mail.

    The texts are ours, with those of BURSAR_TEMPLATES in front. It needs no database.
    """
    said = load_settings()
    texts = Texts(said.templates)
    if sum((html, text, everything, out is not None)) > 1:
        raise Invalid("option_invalid", "one of --html, --text, --all and --out", option="--out")
    if out is not None:
        files = _write(texts, out, said.mail_from or _FROM, kind)
        if as_json:
            output.emit({"directory": str(out), "files": files})
        else:
            output.say(f"{out}: {output.counted(len(files), 'file')}")
        return
    if kind is None:
        raise Invalid("option_invalid", "name a KIND, or write them all with --out", option="KIND")
    shown = preview_of(texts, kind, language)
    if as_json:
        output.emit(shown)
    elif html:
        output.say(shown.html.rstrip("\n"))
    elif text:
        output.say(shown.text.rstrip("\n"))
    else:
        output.facts([("subject", shown.subject), ("summary", shown.summary)])
        output.say(f"\n{shown.text.rstrip()}")
        if everything:
            output.say(f"\n{shown.html.rstrip()}")


def templates(as_json: Json = False) -> None:
    """Try every template, in every language, with made-up data; 1 if one fails. No database."""
    texts = Texts(load_settings().templates)
    found = texts.check()
    if as_json:
        output.emit({"languages": texts.languages(), "failures": found})
    else:
        for one in found:
            at = f"{one.file}:{one.line}" if one.line else one.file
            output.say(f"{at}: {one.what}")
        whose = "ours" if texts.directory is None else str(texts.directory)
        kinds = output.counted(len(Kind), "kind")
        told = "all texts can be written" if not found else output.counted(len(found), "failure")
        output.say(f"{kinds} in {', '.join(texts.languages())} ({whose}): {told}")
    if found:
        raise typer.Exit(errors.REFUSED)


def _write(texts: Texts, out: Path, sender: str, kind: str | None) -> list[str]:
    """Write the letters; all of them are made before the first file is."""
    kinds = [*Kind] if kind is None else [kind_of(kind)]
    made = [
        (one, language, preview_of(texts, one, language))
        for one in kinds
        for language in texts.languages()
    ]
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise errors.of_file(error, out) from error
    return [
        _write_one(out / f"{one}.{language}.{ending}", content)
        for one, language, letter in made
        for ending, content in _forms(letter, one, language, sender)
    ]


def _forms(letter: Rendered, kind: Kind, language: str, sender: str) -> Iterator[tuple[str, str]]:
    yield "txt", letter.text
    yield "html", letter.html
    reader = sample_reader(language)
    whole = compose(
        letter,
        sender=sender_of(sender),
        to=_TO,
        to_name=reader.name,
        notice_id=notice_id_of(0, f"{kind}.{language}"),
        at=_AT,
        language=language,
        unsubscribe_url="" if kind in OF_OPERATORS else reader.unsubscribe_url,
    )
    yield "eml", as_bytes(whole).decode("ascii")


def _write_one(file: Path, content: str) -> str:
    with write_whole(file) as opened:
        opened.write(content)
    return file.name
