"""Turning a notice into words: ours, or an operator's own (N2).

An operator's directory has the form of ours; what stands in it wins, file by file, and a change is
seen with the next letter. ``LANG/KIND.txt`` has the words, in three blocks: subject, summary (a
line, shown beside the subject) and body (paragraphs). ``LANG/KIND.html`` adds figures to the same
paragraphs. ``LANG/words.txt`` greets and says why the letter came; ``layout.txt`` and
``layout.html`` put all of it together. Ours can be extended as ``bursar/LANG/KIND.txt``. A
directory with all kinds in a further language adds that language.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError
from jinja2.exceptions import SecurityError

from bursar.notices.kinds import LANGUAGES, OF_OPERATORS
from bursar.notices.mail.model import Brief, Failure, Reader, Rendered
from bursar.notices.mail.samples import SAMPLES, sample_reader
from bursar.notices.mail.sandbox import MAX_OUTPUT, Folders, Sandbox, budget
from bursar.notices.mail.wording import words_of
from bursar.notices.model import Kind
from bursar.platform.errors import Invalid

_OURS: Final = Path(__file__).parent / "texts"
_SHARED: Final = ("notice.txt", "layout.txt", "layout.html", "parts.html")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")
_MARK: Final = "\x1e"  # between the blocks of a text; no word holds it
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_BLANKS: Final = re.compile(r"[ \t\r\n]+")
_MAX_SUBJECT: Final = 200
_MAX_SUMMARY: Final = 500
_MAX_WHAT: Final = 200


class Texts:
    """The texts of notices, with those of ``directory`` in front of ours."""

    def __init__(self, directory: Path | None = None) -> None:
        if directory is not None and not directory.is_dir():
            raise Invalid(
                "setting_invalid",
                f"BURSAR_TEMPLATES names no directory: {directory}",
                setting="BURSAR_TEMPLATES",
            )
        self.directory = directory
        builtin = Folders(_OURS)
        chosen = Folders(directory, _OURS) if directory is not None else builtin
        self._rooms = {
            (own, html): Sandbox(builtin if own else chosen, html=html)
            for own in (True, False)
            for html in (True, False)
        }

    def languages(self, *, builtin: bool = False) -> tuple[str, ...]:
        """List the languages in which there are all texts; ours first."""
        if self.directory is None or builtin:
            return LANGUAGES
        further = sorted(
            found.name
            for found in self.directory.iterdir()
            if _LANGUAGE.fullmatch(found.name)
            and found.name not in LANGUAGES
            and all((found / name).is_file() for name in _of_a_language())
        )
        return (*LANGUAGES, *further)

    def brief(
        self, kind: Kind, data: Mapping[str, Any], reader: Reader, *, builtin: bool = False
    ) -> Brief:
        """Say a notice in two lines; otherwise as `render`."""
        subject, summary, _ = self._blocks(kind, _words(kind, data, reader, builtin), builtin)
        return Brief(subject, summary)

    def render(
        self, kind: Kind, data: Mapping[str, Any], reader: Reader, *, builtin: bool = False
    ) -> Rendered:
        """Write a notice as a letter, with ``builtin`` from our templates alone.

        Those speak English to whoever reads a language that an operator has added. Raises
        `Invalid` ``template_error`` with file, line and what is wrong.
        """
        words = _words(kind, data, reader, builtin)
        subject, summary, body = self._blocks(kind, words, builtin)
        words |= {"subject": subject, "summary": summary, "paragraphs": _paragraphs(body)}
        words["operators"] = kind in OF_OPERATORS
        if kind in OF_OPERATORS:
            words["unsubscribe_url"] = ""
        text = self._one("layout.txt", words, builtin).strip() + "\n"
        html = self._one(f"{words['language']}/{kind}.html", words, builtin).strip() + "\n"
        return Rendered(subject, summary, text, html)

    def check(self) -> tuple[Failure, ...]:
        """Try every template with samples; what fails, and files that no template asks for."""
        found: set[Failure] = set(self._strangers())
        for language in self.languages():
            for kind, data in SAMPLES.items():
                for named in (True, False):
                    try:
                        self.render(kind, data, sample_reader(language, named=named))
                    except Invalid as error:
                        found.add(msgspec.convert(error.fields, Failure))
        return tuple(sorted(found))

    def _blocks(self, kind: Kind, words: dict[str, Any], builtin: bool) -> tuple[str, str, str]:
        file = f"{words['language']}/{kind}.txt"
        parts = self._one(file, words, builtin).split(_MARK)
        if len(parts) != 3:
            raise _failure(Failure(file, 0, "it does not extend notice.txt"))
        subject, summary = map(_line, parts[:2])
        if not subject or not parts[2].strip():
            raise _failure(Failure(file, 0, "its block subject or body is empty"))
        return subject[:_MAX_SUBJECT], summary[:_MAX_SUMMARY], parts[2]

    def _one(self, file: str, words: Mapping[str, object], builtin: bool) -> str:
        env = self._rooms[builtin, file.endswith(".html")]
        try:
            with budget():
                said = "".join(_up_to(MAX_OUTPUT, env.get_template(file).generate(dict(words))))
        except Exception as error:  # noqa: BLE001, RUF100 - whatever a template does is its failure
            raise _failure(_where(error, file, str(words["name"]))) from error
        return said

    def _strangers(self) -> Iterator[Failure]:
        if self.directory is None:
            return
        known = {*_SHARED, *(f"{lang}/{name}" for lang in LANGUAGES for name in _of_a_language())}
        for path in sorted(self.directory.rglob("*")):
            name = path.relative_to(self.directory).as_posix()
            language, _, file = name.partition("/")
            further = _LANGUAGE.fullmatch(language) and file in _of_a_language()
            if path.is_file() and name not in known:
                if not further:
                    yield Failure(name, 0, "no template of this name is asked for")
                elif language not in self.languages():
                    yield Failure(
                        name, 0, f"the language {language} lacks other kinds or words.txt"
                    )


def _of_a_language() -> list[str]:
    return ["words.txt", *(f"{kind}.{ending}" for kind in Kind for ending in ("txt", "html"))]


def _paragraphs(body: str) -> list[str]:
    parts = re.split(r"\n\s*\n", body.strip())
    return [_line(part) for part in parts]


def _up_to(most: int, parts: Iterator[str]) -> Iterator[str]:
    """Pass on what a template says until it has said too much."""
    for part in parts:
        most -= len(part)
        if most < 0:
            raise SecurityError(f"it says more than {MAX_OUTPUT} characters")
        yield part


def _words(kind: Kind, data: Mapping[str, Any], reader: Reader, builtin: bool) -> dict[str, Any]:
    """Say what templates may use, without control characters; only a message has several lines."""
    if builtin and reader.language not in LANGUAGES:
        reader = msgspec.structs.replace(reader, language=LANGUAGES[0])
    words: dict[str, Any] = words_of(kind, data, reader)
    for name, value in words.items():
        if isinstance(value, str):
            clean = _CONTROL.sub(" ", value)
            words[name] = clean if name == "message" else _line(clean)
    return words


def _line(text: str) -> str:
    """Write a text on one line; blanks that hold a number together stay."""
    return _BLANKS.sub(" ", text).strip()


def _where(error: Exception, file: str, name: str) -> Failure:
    """Find the template and the line, and say what is wrong without quoting what people sent."""
    line = 0
    if isinstance(error, TemplateSyntaxError):
        file, line = error.name or file, error.lineno
    elif isinstance(error, TemplateNotFound):
        return Failure(file, 0, f"there is no template {error.name}"[:_MAX_WHAT])
    else:
        trace = error.__traceback__
        while trace is not None:
            path = trace.tb_frame.f_code.co_filename
            if path.endswith((".txt", ".html")):
                file, line = _name(path), trace.tb_lineno
            trace = trace.tb_next
    said = isinstance(error, TemplateError | TypeError)
    what = str(error) if said else type(error).__name__
    if name:
        what = what.replace(name, "…")
    return Failure(file, line, " ".join(what.split())[:_MAX_WHAT])


def _name(path: str) -> str:
    parts = Path(path).parts
    language = len(parts) > 1 and _LANGUAGE.fullmatch(parts[-2])
    return "/".join(parts[-2:] if language and parts[-1] not in _SHARED else parts[-1:])


def _failure(failure: Failure) -> Invalid:
    at = f"{failure.file}, line {failure.line}" if failure.line else failure.file
    return Invalid(
        "template_error",
        f"{at}: {failure.what}",
        file=failure.file,
        line=failure.line,
        what=failure.what,
    )
