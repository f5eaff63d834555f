"""What an economy file may say, and what is told, with its line, of one that may not."""

import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bursar.economy.model import MAX_FILE, Economy
from bursar.economy.parse import parse
from bursar.platform.errors import Invalid
from bursar.programs.model import (
    Amount,
    Calendar,
    Claim,
    Limits,
    Once,
    Proration,
    Rolling,
    Streak,
    Terms,
)
from tests.economy.files import HEAD, problems, program, read

EXAMPLES = Path(__file__).parents[2] / "examples"
DAILY = '{ claim = "day", streak = {} }'


@pytest.mark.parametrize("name", ["sportsclub", "tippcoin", "arena", "refresh"])
def test_the_examples_are_sound_sandboxes(name: str) -> None:
    economy = parse((EXAMPLES / name / "economy.toml").read_bytes())
    assert (economy.name, economy.sandbox) == (name, True)
    assert economy.programs


def test_a_calendar_takes_the_economys_zone_unless_it_names_its_own() -> None:
    text = program().replace('"club"', '"club"\ntime_zone = "Europe/London"', 1)
    assert read(text).programs["p"].schedule == Calendar(every="month", zone="Europe/London")
    own = text.replace('"month"', '"week", day = 7, at = "18:30", time_zone = "Asia/Kathmandu"')
    assert read(own).programs["p"].schedule == Calendar(
        every="week", day=7, at="18:30", zone="Asia/Kathmandu"
    )


def test_a_rolling_schedule_reads_whole() -> None:
    text = program(
        schedule="{ days = 30, days_by_tier = { pro = 15 }, anchor = 'billing', at_once = true,"
        " stagger = true, at = '06:00', minimum_days = 15, grace_days = 31 }"
    )
    assert read(text).programs["p"].schedule == Rolling(
        days=30,
        days_by_tier={"pro": 15},
        anchor="billing",
        at_once=True,
        stagger=True,
        at="06:00",
        minimum_days=15,
        grace_days=31,
    )


def test_a_claim_reads_whole() -> None:
    text = program(
        schedule="{ claim = 'week', automatic = 'logged_in', by_hand = false, streak ="
        " { freezes = 2, freeze_days = 10, grace_days = 1, milestones = { 7 = 500 } } }"
    )
    assert read(text).programs["p"].schedule == Claim(
        every="week",
        automatic="logged_in",
        by_hand=False,
        streak=Streak(freezes=2, freeze_days=10, grace_days=1, milestones={7: 500}),
    )


def test_amounts_are_a_number_a_formula_or_a_table() -> None:
    def amount(toml: str) -> Amount:
        return read(program(amount=toml)).programs["p"].amount

    assert amount("5") == amount("{ fixed = 5 }") == Amount(fixed=5)
    assert amount("'1 + 1'") == amount("{ formula = '1 + 1' }") == Amount(formula="1 + 1")
    assert amount("{ by_tier = { free = 1 }, otherwise = 2 }") == Amount(
        by_tier={"free": 1}, otherwise=2
    )


def test_one_condition_has_the_plain_reason_and_several_their_own() -> None:
    assert read(program(who="'holder.verified'")).programs["p"].who == {
        "not_eligible": "holder.verified"
    }
    several = read(program(who="{ b = 'holder.verified', a = '''true\n&& true''' }"))
    assert list(several.programs["p"].who) == ["b", "a"]


def test_everything_else_of_a_program() -> None:
    text = program(
        description='"für alle"',
        proration='{ by = "seconds", rounding = "nearest" }',
        starts="2026-01-01",
        reference='"bonus:{date}"',
        on_tier_change='"difference_now"',
        catch_up='"all"',
        late_hours="0",
        terms='{ expires_days = 90, rollover_cap = 0, priority = -1, notices = ["deposit"] }',
        limits="{ award = 5, run = 6, day = 7, approve_above = 0 }",
        keep_reasons='["paused"]',
        enabled="false",
        dry_run="true",
    )
    found = read(text).programs["p"]
    assert found.proration == Proration(by="seconds", rounding="nearest")
    assert found.starts == date(2026, 1, 1)
    assert (found.reference, found.catch_up, found.late_hours) == ("bonus:{date}", "all", 0)
    assert found.terms == Terms(expires_days=90, rollover_cap=0, priority=-1, notices=("deposit",))
    assert found.limits == Limits(award=5, run=6, day=7, approve_above=0)
    assert (found.enabled, found.dry_run) == (False, True)
    assert (found.on_tier_change, found.keep_reasons) == ("difference_now", ("paused",))


def test_a_signup_bonus_is_given_once_under_one_reference() -> None:
    found = read(program(schedule="{ once = true }", reference="'welcome'")).programs["p"]
    assert found.schedule == Once()


def test_all_problems_are_told_in_the_order_of_the_file() -> None:
    text = HEAD.replace('"club"', '"My Club"') + (
        'asset = "coin"\nshedule = { every = "month" }\namount = 0\nwho = "holder.statsu == 1"\n'
    )
    assert [line.split(": ")[:2] for line in problems(text)] == [
        ["2", "economy.name"],
        ["5", "programs.p"],
        ["6", "programs.p.asset"],
        ["7", "programs.p.shedule"],
        ["8", "programs.p.amount"],
        ["9", "programs.p.who.not_eligible"],
    ]


def test_of_very_many_problems_the_first_are_told() -> None:
    told = problems(HEAD + "".join(f"k{n} = 1\n" for n in range(5_000)))
    assert len(told) == 201
    assert told[-1] == " and 4803 more"


_WRONG_FILES = (Path(__file__).parent / "wrong_files.txt").read_text("utf-8")


@pytest.mark.parametrize(("text", "told"), re.findall(r"\n\n((?:[^>\n].*\n)+)> (.*)", _WRONG_FILES))
def test_what_is_wrong_with_a_file(text: str, told: str) -> None:
    assert problems(text) == [told]


_WRONG = (Path(__file__).parent / "wrong_programs.txt").read_text("utf-8")
_CASES = re.findall(r"((?:^\w.*\n)+)> (.*)", _WRONG, re.MULTILINE)


@pytest.mark.parametrize(("keys", "told"), _CASES, ids=[told for _, told in _CASES])
def test_what_is_wrong_with_a_program(keys: str, told: str) -> None:
    spelt = keys.replace("HUGE", "0x" + "f" * 5_000).replace("LONG", f"'{'a' * 501}'")
    lines = [line.partition(" =") for line in spelt.splitlines()]
    assert problems(program(**{key: value.strip() for key, _, value in lines})) == [told]


def test_every_case_of_the_file_is_looked_at() -> None:
    assert len(_CASES) == _WRONG.count("\n> ") >= 80


def test_an_expression_that_does_not_compile_is_told_with_its_key() -> None:
    [misspelt] = problems(program(who="{ active = 'holder.statsu == \"active\"' }"))
    assert misspelt.startswith("9: programs.p.who.active: there is no holder.statsu")
    assert misspelt.endswith(" (in line 1, column 7 of the expression)")
    [number] = problems(program(who="'1 + 1'"))
    assert number.startswith("9: programs.p.who.not_eligible: ")
    [text] = problems(program(amount="'\"a\"'"))
    assert text.startswith("8: programs.p.amount: ")
    [streak] = problems(program(who="'streak > 1'", schedule=DAILY))
    assert streak.startswith("9: programs.p.who.not_eligible: there is no streak")


def test_a_reason_that_is_kept_must_be_one() -> None:
    [told] = problems(program(who="{ active = 'true' }", keep_reasons="['actve']"))
    assert told.startswith("10: programs.p.keep_reasons: actve is no reason of this program, which")
    assert told.endswith("; did you mean active?")
    assert read(program(who="'true'", keep_reasons="['not_eligible', 'no_amount']"))


def test_programs_that_share_a_reference_give_the_same_asset() -> None:
    text = program(reference='"bonus:{date}"') + (
        '[programs.q]\nasset = "gems"\nschedule = { claim = "day" }\namount = 1\n'
        'reference = "bonus:{date}"\n'
    )
    told = (
        "14: programs.q.reference: is that of p, which gives coins: programs that pay once "
        "between them give the same asset"
    )
    assert problems(text) == [told]
    assert len(read(text.replace('"gems"', '"coins"')).programs) == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a = 1\nb = \xff", "2: is not UTF-8 (byte 11)"),
        ("a = '\ud800'", "1: is not text: half of a character"),
        (b"#" * (MAX_FILE + 1), "1: is larger than 1,000,000 bytes"),
        ("\n#" + "a" * 20_000, "2: is longer than 20,000 characters"),
        ("\n" + "a." * 17 + "b = 1", "2: a key of more than 16 parts"),
        ("a = " + "[" * 5_000, "1: brackets are nested too deeply"),
        ("a = " + "{a=" * 5_000, "1: brackets are nested too deeply"),
        ("\na = " + "9" * 5_000, "2: a number of thousands of digits"),
        ("[economy]\nname = 1\nname = 2", "3: Cannot overwrite a value at the end of the file"),
        ("[economy]\n[economy]", "2: Cannot declare ('economy',) twice (column 9)"),
        ("a = 2026-02-30", "1: Invalid date or datetime (column 5)"),
        ("a = '\0'", "1: Found invalid character '\\x00' (column 6)"),
        ("a = ", "1: Invalid value at the end of the file"),
    ],
)
def test_what_is_no_toml_is_told_with_its_place(content: str | bytes, told: str) -> None:
    [line] = problems(content)
    assert line.partition(" (column")[0] == told.partition(" (column")[0]


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    text = program(who='"""\ntrue\n"""')
    assert parse(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()) == read(text)


_PIECES = st.sampled_from(
    [
        "[economy]\n", "name = 'a'\n", "[assets.coins]\n", "scale = 2\n", "[programs.p]\n",
        "asset = 'coins'\n", "amount = ", "schedule = ", "{ every = 'day' }\n", "5\n", "'1'\n",
        "{ by_tier = {", "}", "who = ", "'holder.verified'\n", "reference = ", "[[rules]]\n", ".",
        "=", '"', "'", "\n", "2026-01-01", "1e9", "inf\n", "0x", "9" * 30, "\\u0000", "true\n", "é",
    ]
)  # fmt: skip


@given(st.binary(max_size=300) | st.lists(_PIECES, max_size=30).map("".join) | st.text())
@example("[economy]\nname = 'a'\n")
@example(b"\xef\xbb\xbf")
def test_whatever_the_bytes_there_is_an_economy_or_the_one_error(content: bytes | str) -> None:
    try:
        found: object = parse(content)
    except Invalid as error:
        found = error.code
    assert isinstance(found, Economy) or found == "economy_invalid"


_VALUES = st.recursive(
    st.sampled_from(["1", "-1", "true", "'a'", "'day'", "1.5", "nan", "2026-01-01", "07:00:00"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(
            st.sampled_from(["every", "days", "claim", "by_tier", "streak", "a", "'\0'"]),
            inner,
            max_size=3,
        ).map(lambda d: "{" + ", ".join(f"{k} = {v}" for k, v in d.items()) + "}")
    ),
    max_leaves=6,
)  # fmt: skip
_KEYS = "asset schedule amount who keep_reasons starts proration terms limits late_hours reference"


@given(st.dictionaries(st.sampled_from(_KEYS.split()), _VALUES))
def test_whatever_the_values_there_is_an_economy_or_the_one_error(keys: dict[str, str]) -> None:
    text = program(**keys)
    try:
        found: object = parse(text)
    except Invalid as error:
        found = error.code
    assert isinstance(found, Economy) or found == "economy_invalid"
