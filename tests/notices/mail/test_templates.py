"""An operator's templates: theirs win, what is wrong is named, none holds up a sender (N2)."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from bursar.notices.kinds import LANGUAGES
from bursar.notices.mail.model import Failure, Rendered
from bursar.notices.mail.render import Texts
from bursar.notices.mail.samples import SAMPLES, sample_reader
from bursar.notices.model import Kind
from bursar.platform.errors import Invalid

OURS = Path(__file__).parents[3] / "src/bursar/notices/mail/texts"
WHOLE = (
    '{% extends "notice.txt" %}{% block subject %}x{% endblock %}{% block summary %}y{% endblock %}'
    "{% block body %}@{% endblock %}"
)


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_txt", ".txt").replace("_html", ".html")
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text, "utf-8")


def render(folder: Path, kind: Kind = Kind.DEPOSIT, **said: Any) -> Rendered:
    return Texts(folder).render(kind, {**SAMPLES[kind]}, sample_reader("en"), **said)


def test_what_stands_in_the_directory_wins_in_the_text_and_in_the_page(tmp_path: Path) -> None:
    write(tmp_path, en__deposit_txt=WHOLE.replace("@", "Cheers, {{ name }}: {{ amount }}."))
    done = render(tmp_path)
    assert done.subject == "x"
    assert "Cheers, Ada: 50,000 coins." in done.text
    assert "Cheers, Ada: 50,000 coins." in done.html
    assert "Cheers" not in render(tmp_path, builtin=True).text
    assert "Your new cycle" in render(tmp_path, Kind.REFRESH_DONE).text


def test_a_block_of_ours_can_be_replaced_alone(tmp_path: Path) -> None:
    write(
        tmp_path,
        en__deposit_txt='{% extends "bursar/en/deposit.txt" %}{% block subject %}Hey{% endblock %}',
    )
    assert render(tmp_path).subject == "Hey"
    assert "You have received 50,000 coins" in render(tmp_path).text


def test_a_change_is_seen_with_the_next_letter(tmp_path: Path) -> None:
    texts = Texts(tmp_path)
    data, reader = SAMPLES[Kind.DEPOSIT], sample_reader("en")
    assert texts.render(Kind.DEPOSIT, data, reader).subject.startswith("You have")
    write(tmp_path, en__deposit_txt=WHOLE)
    assert texts.render(Kind.DEPOSIT, data, reader).subject == "x"


@pytest.mark.parametrize(
    ("body", "line", "what"),
    [
        ("\n\n{{ amont }}", 3, "'amont' is undefined"),
        ("\n{% if %}", 2, "Expected an expression"),
        ("{{ amount.upper() }}", 1, "access to attribute 'upper'"),
        ("{{ ''.__class__.__mro__ }}", 1, "access to attribute '__class__'"),
        ("{{ amount | shout }}", 1, "No filter named 'shout'"),
        ("{{ self.body() }}", 1, "RecursionError"),
        ("\n{{ 1 // 0 }}", 2, "ZeroDivisionError"),
        ("{% include 'nothing.txt' %}", 0, "no template nothing.txt"),
        ("{% include '../../../../../etc/passwd' %}", 0, "no template"),
        ("{{ amount + 1 }}", 1, "can only concatenate str"),
    ],
)
def test_a_template_that_fails_says_where_and_why(
    tmp_path: Path, body: str, line: int, what: str
) -> None:
    write(tmp_path, en__deposit_txt=WHOLE.replace("@", body))
    with pytest.raises(Invalid, match=what) as caught:
        render(tmp_path)
    assert caught.value.code == "template_error"
    assert caught.value.fields["file"] == "en/deposit.txt"
    assert caught.value.fields["line"] == line


TIMES = "{% set n = namespace(v='xx') %}{% for a in range(99) %}{% set n.v = @ %}{% endfor %}"
ENDLESS = {
    "loops": "{% for a in range(999) %}{% for b in range(999) %}{% endfor %}{% endfor %}",
    "a long range": "{% for a in range(10**9) %}{% endfor %}",
    "lists": "{% for a in [1,2,3,4,5,6,7,8,9] %}" * 6 + "{% endfor %}" * 6,
    "a macro": "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}"
    "{{ f(99) }}",
    "itself": "{% include 'en/deposit.txt' %}",
    "a recursive loop": "{% for a in [[1,1],[1,1]] recursive %}{{ loop([[1,1],[1,1]]) }}"
    "{% endfor %}",
    "a product": "{{ 'x' * 10**9 }}",
    "a list's product": "{{ [1] * 10**9 }}",
    "a power": "{{ 10 ** 10 ** 10 }}",
    "numbers": TIMES.replace("'xx'", "9").replace("@", "n.v * n.v"),
    "a format": "{{ '%1000000000d' % 1 }}",
    "a method": "{{ '{:1000000000}'.format(1) }}",
    "doubling": TIMES.replace("@", "n.v ~ n.v"),
    "adding": TIMES.replace("@", "n.v + n.v"),
    "replacing": TIMES.replace("@", "n.v | replace('x', 'xx')"),
    "a page": "{% for a in range(999) %}" + "word " * 500 + "{% endfor %}",
    "much in a variable": "{% set v %}{% for a in range(999) %}{{ product }}" + "w" * 9_000
    + "{% endfor %}{% endset %}{{ v }}",
    "a long file": "x" * 70_000,
    "widths": "{{ 'x' | center(10**9) }}",
}  # fmt: skip


@pytest.mark.timeout(100)
@pytest.mark.parametrize("how", ENDLESS)
def test_no_template_goes_on_for_long_or_says_too_much(tmp_path: Path, how: str) -> None:
    write(tmp_path, en__deposit_txt=WHOLE.replace("@", ENDLESS[how]))
    with pytest.raises(Invalid) as caught:
        render(tmp_path)
    assert caught.value.code == "template_error"


@pytest.mark.parametrize(
    "text",
    [
        "Hello",
        "",
        WHOLE.replace("{% block subject %}x", "{% block subject %}  \n "),
        WHOLE.replace("@", "\n"),
        WHOLE.replace("@", "\x1e"),
    ],
)
def test_a_text_has_a_subject_and_a_body(tmp_path: Path, text: str) -> None:
    write(tmp_path, en__deposit_txt=text)
    with pytest.raises(Invalid, match=r"en/deposit\.txt"):
        render(tmp_path)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    write(tmp_path, en__deposit_txt="")
    (tmp_path / "en/deposit.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Invalid, match=r"en/deposit.txt: UnicodeDecodeError"):
        render(tmp_path)


def test_a_huge_file_is_not_read_into_memory(tmp_path: Path) -> None:
    write(tmp_path, en__deposit_txt="")
    with (tmp_path / "en/deposit.txt").open("wb") as file:
        file.truncate(200_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(Invalid, match="more than 65536 characters"):
            render(tmp_path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 20_000_000


def test_nothing_that_people_wrote_is_in_what_is_said_of_a_failure(tmp_path: Path) -> None:
    write(tmp_path, en__deposit_txt=WHOLE.replace("@", "{{ {}[name] }}{{ name | int(base=name) }}"))
    with pytest.raises(Invalid) as caught:
        render(tmp_path)
    assert "Ada" not in caught.value.message


def test_a_check_of_our_own_templates_finds_nothing(tmp_path: Path) -> None:
    assert Texts().check() == ()
    assert Texts(tmp_path).check() == ()


def test_a_check_names_every_template_that_fails_and_every_file_that_nothing_asks_for(
    tmp_path: Path,
) -> None:
    write(
        tmp_path,
        en__deposit_txt=WHOLE.replace("@", "{{ amont }}"),
        de__reminder_html='{% extends "layout.html" %}\n{% block facts %}{{ dew }}{% endblock %}',
        en__reminder_html='{% extends "layout.html" %}{% block facts %}{{ due }}{% endblock %}',
        en__depositt_txt="x",
        fr__deposit_txt=WHOLE,
    )
    assert Texts(tmp_path).check() == (
        Failure("de/reminder.html", 2, "'dew' is undefined"),
        Failure("en/deposit.txt", 1, "'amont' is undefined"),
        Failure("en/depositt.txt", 0, "no template of this name is asked for"),
        Failure("fr/deposit.txt", 0, "the language fr lacks other kinds or words.txt"),
    )


def test_a_directory_with_all_kinds_in_another_language_adds_it(tmp_path: Path) -> None:
    files = {path.name: path.read_text("utf-8") for path in (OURS / "en").iterdir()}
    for name, text in files.items():
        write(tmp_path, **{f"fr__{name}": text.replace('"en/', '"fr/')})
    texts = Texts(tmp_path)
    assert texts.languages() == ("en", "de", "fr")
    assert texts.languages(builtin=True) == LANGUAGES
    assert texts.check() == ()
    reader = sample_reader("fr")
    done = texts.render(Kind.REMINDER, SAMPLES[Kind.REMINDER], reader)
    assert "1 décembre 2026" in done.subject


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        Texts(tmp_path / "none")
    assert caught.value.code == "setting_invalid"
