"""Every kind has its words, in English and German, and nobody's data becomes markup (N2, N4)."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bursar.notices.kinds import LANGUAGES, OF_OPERATORS
from bursar.notices.mail.model import Rendered
from bursar.notices.mail.render import Texts
from bursar.notices.mail.samples import SAMPLES, sample_reader
from bursar.notices.model import Kind
from bursar.platform.errors import Broken
from tests.notices.mail.letters import write_all

TEXTS = Texts()
EVERY = [(kind, language) for kind in Kind for language in LANGUAGES]
VOID = {"meta", "br", "hr", "img"}


class Page(HTMLParser):
    """What a reader sees of a page; fails where tags are not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.seen: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.seen.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.seen).split())


def render(kind: Kind, language: str = "en", *, named: bool = True, **said: Any) -> Rendered:
    return TEXTS.render(kind, {**SAMPLES[kind], **said}, sample_reader(language, named=named))


@pytest.mark.parametrize(("kind", "language"), EVERY)
@pytest.mark.parametrize("named", [True, False])
def test_every_kind_has_its_words_in_every_language(
    kind: Kind, language: str, *, named: bool
) -> None:
    done = render(kind, language, named=named)
    assert done.subject
    assert done.summary
    assert "\n" not in done.subject + done.summary
    page = Page(done.html)
    for paragraph in done.text.partition("\n-- \n")[0].split("\n\n"):
        assert " ".join(paragraph.split()) in page.text
    assert not {"table", "img", "script", "link"} & page.tags
    assert "!" not in done.text + page.text
    assert not re.search(r"[{}]|None|Undefined", done.text + page.text)
    assert "prefers-color-scheme: dark" in done.html
    assert f'lang="{language}"' in done.html


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_a_holder_can_unsubscribe_and_an_operator_cannot(kind: Kind, language: str) -> None:
    done = render(kind, language)
    link = "https://coins.club.example/v1/unsubscribe/EXAMPLE"
    assert (link in done.text) == (link in done.html) == (kind not in OF_OPERATORS)


@pytest.mark.parametrize("kind", [kind for kind in Kind if "amount" in SAMPLES[kind]])
def test_amounts_are_said_in_the_readers_way_and_with_the_assets_name(kind: Kind) -> None:
    said = {"amount": 1_234_567}
    assert "1.234.567 Münzen" in render(kind, "de", **said).text
    assert "1,234,567 coins" in render(kind, "en", **said).text


def test_an_asset_without_a_name_goes_by_its_code_and_has_its_decimals() -> None:
    reader = sample_reader("de")
    reader = msgspec.structs.replace(reader, names={}, scales={"coins": 2})
    done = TEXTS.render(Kind.DEPOSIT, SAMPLES[Kind.DEPOSIT], reader)
    assert done.subject == "Du hast 500,00 coins erhalten"


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_owes_is_told_so(language: str) -> None:
    word = {"en": "below zero", "de": "unter null"}[language]
    for kind in (Kind.DEPOSIT, Kind.REFRESH_DONE, Kind.CORRECTED):
        assert word in render(kind, language, balance=-200).text
        assert word not in render(kind, language, balance=0).text


def test_a_correction_says_in_which_direction() -> None:
    assert render(Kind.CORRECTED, amount=-5).subject == "Correction: −5 coins"
    assert render(Kind.CORRECTED, amount=5).subject == "Correction: +5 coins"
    assert "has taken 5 coins" in render(Kind.CORRECTED, amount=-5).text
    assert "has added 5 coins" in render(Kind.CORRECTED, amount=5).text


@pytest.mark.parametrize("reason", ["subscription", "verified", "not_in_my_list"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_who_was_left_out_is_told_why(reason: str, language: str) -> None:
    said = {
        ("subscription", "en"): "your subscription is not active",
        ("subscription", "de"): "dein Abo ist nicht aktiv",
        ("verified", "en"): "your account is not verified",
        ("verified", "de"): "dein Konto ist nicht bestätigt",
    }.get((reason, language), "not in my list")
    done = render(Kind.REFRESH_FAILED, language, reason=reason)
    assert said in done.text
    assert said in done.summary


@pytest.mark.parametrize("missing", ["program", "period", "reference"])
def test_what_a_notice_does_not_have_is_not_said(missing: str) -> None:
    for kind, data in SAMPLES.items():
        for language in LANGUAGES:
            less = {key: value for key, value in data.items() if key != missing}
            assert TEXTS.render(kind, less, sample_reader(language)).subject


@pytest.mark.parametrize(
    ("language", "period", "said"),
    [
        ("en", "2026-11", "any coins for November 2026."),
        ("en", "2026-12-01", "any coins for the cycle from 1 December 2026."),
        ("en", "w7", "any coins."),
        ("de", "2026-11", "Du hast für November 2026 keine Münzen"),
        ("de", "2026-12-01", "Du hast für den Zyklus ab 1. Dezember 2026 keine Münzen"),
        ("de", "w7", "Du hast diesmal keine Münzen"),
    ],
)
def test_who_was_left_out_of_a_month_is_not_told_of_a_cycle(
    language: str, period: str, said: str
) -> None:
    assert said in render(Kind.REFRESH_FAILED, language, period=period).text


def test_a_reminder_of_an_amount_that_nobody_knows_yet_names_the_asset() -> None:
    done = render(Kind.REMINDER, amount=None)
    assert done.subject == "New coins on 1 December 2026"


EVIL = '<script>alert("1")</script>&amp;{{ 7 * 7 }}{% raw %}'


@pytest.mark.parametrize(("kind", "language"), EVERY)
def test_what_people_wrote_stays_text(kind: Kind, language: str) -> None:
    texts = {key: EVIL for key, value in SAMPLES[kind].items() if key not in _TYPED and value}
    reader = msgspec.structs.replace(
        sample_reader(language),
        name=EVIL,
        product=EVIL,
        names={"coins": {language: EVIL}},
        unsubscribe_url='https://x.example/"onmouseover="alert(1)',
    )
    done = TEXTS.render(kind, {**SAMPLES[kind], **texts}, reader)
    page = Page(done.html)
    assert "script" not in page.tags
    assert '"onmouseover' not in done.html
    assert "49" not in done.text
    assert EVIL in done.text


_TYPED = {
    "asset",
    "amount",
    "balance",
    "below",
    "due_at",
    "expires_at",
    "period",
    "reason",
    "alert",
}


def test_control_characters_do_not_get_through() -> None:
    done = render(Kind.OPERATOR_ALERT, message="a\x1eb\x00c\x1bd\u2028e", subject="r\nun")
    assert "a b c d e" in done.text
    assert "\n" not in done.subject


def test_no_word_can_end_a_block() -> None:
    evil = "a\x1eb\r\nc"
    reader = msgspec.structs.replace(
        sample_reader("en"), name=evil, product=evil, names={"coins": {"en": evil}}
    )
    done = TEXTS.render(Kind.CORRECTED, {**SAMPLES[Kind.CORRECTED], "reference": evil}, reader)
    assert done.subject == "Correction: −2,000 a b c"
    assert "Hello a b c," in done.text


def test_a_message_keeps_its_paragraphs() -> None:
    done = render(Kind.FAILURE_SUMMARY, message="first\n\nsecond")
    assert done.summary == "first second"
    assert "first\n\nsecond\n\n" in done.text


def test_a_number_is_not_torn_apart() -> None:
    reader = msgspec.structs.replace(sample_reader("de"), locale="de-CH")
    data = {**SAMPLES[Kind.DEPOSIT], "balance": -1_234_567}
    assert "-1’234’567 Münzen" in TEXTS.render(Kind.DEPOSIT, data, reader).text


def test_our_own_words_speak_english_to_a_language_that_is_not_ours() -> None:
    data, reader = SAMPLES[Kind.DEPOSIT], sample_reader("fr")
    done = TEXTS.render(Kind.DEPOSIT, data, reader, builtin=True)
    assert done.subject.startswith("You have received")


def test_a_subject_has_an_end() -> None:
    done = render(Kind.OPERATOR_ALERT, subject="x" * 5_000)
    assert len(done.subject) == 200


def test_two_lines_for_an_inbox_are_those_of_the_letter() -> None:
    for kind, data in SAMPLES.items():
        brief = TEXTS.brief(kind, data, sample_reader("de"))
        whole = render(kind, "de")
        assert (brief.subject, brief.summary) == (whole.subject, whole.summary)


@pytest.mark.parametrize(
    "said",
    [
        {"amount": "many"},
        {"asset": "gold"},
        {"amount": [1]},
    ],
)
def test_data_that_no_text_can_say_is_a_bug_and_said_so(said: dict[str, Any]) -> None:
    with pytest.raises(Broken) as caught:
        render(Kind.DEPOSIT, **said)
    assert caught.value.code == "notice_data"


def test_every_kind_has_an_example() -> None:
    assert SAMPLES.keys() == set(Kind)


def test_all_letters_can_be_written_out_for_a_look(tmp_path: Path) -> None:
    written = write_all(tmp_path)
    assert len(written) == 2 * len(EVERY)
    assert all(path.read_text("utf-8").strip() for path in written)


@pytest.mark.parametrize(
    ("language", "subject", "begins"),
    [
        ("en", "Your new subscription: 1,500 coins more", "new cycle began"),
        ("de", "Dein neues Abo: 1.500 Münzen mehr", "neuer Zyklus begonnen"),
    ],
)
def test_the_difference_of_a_higher_tier_is_not_told_as_a_new_cycle(
    language: str, subject: str, begins: str
) -> None:
    assert begins in render(Kind.REFRESH_DONE, language).text
    done = render(Kind.REFRESH_DONE, language, award="subscription_change")
    assert done.subject == subject
    assert begins not in done.text
