"""docs/economy-file.md knows every key, fact and reason that there is."""

import re
from pathlib import Path

import pytest

from bursar.economy.model import Economy
from bursar.economy.parse import parse
from bursar.economy.read_program import BUILT_IN_REASONS
from bursar.notices.kinds import OF_OPERATORS, OF_PROGRAMS, OF_THE_REST
from bursar.notices.model import Kind, NoticeSettings
from bursar.programs import facts, model

_PAGE = (Path(__file__).parents[2] / "docs" / "economy-file.md").read_text("utf-8")
_CODE = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`]+)`", _PAGE))))
_KINDS = set(Kind)
_STRUCTS = (
    Economy,
    model.Program,
    model.Calendar,
    model.Rolling,
    model.Claim,
    model.Streak,
    model.Amount,
    model.Proration,
    model.Terms,
    model.Limits,
)


@pytest.mark.parametrize("struct", _STRUCTS, ids=lambda struct: struct.__name__)
def test_every_key_is_on_the_page(struct: type) -> None:
    fields = {"time_zone" if f == "zone" else f for f in struct.__struct_fields__}
    assert fields - _CODE - {"assets", "programs", "notices"} == set()


def test_every_fact_is_on_the_page() -> None:
    assert [fact for fact in facts.FORMULA_FACTS if f"`{fact}`" not in _PAGE] == []


def test_every_reason_of_bursars_own_is_on_the_page() -> None:
    assert [reason for reason in BUILT_IN_REASONS if f"`{reason}`" not in _PAGE] == []


def _example(table: str) -> str:
    """The example on the page that begins with a table."""
    [found] = re.findall(rf"\n\n((?:    .*\n|\n)*    \[{table}\]\n(?:    .*\n|\n)*)", _PAGE)
    return re.sub(r"^    ", "", found, flags=re.MULTILINE)


def test_the_example_of_the_page_is_sound() -> None:
    assert parse(_example("economy")).programs["monthly"].amount.fixed == 50_000


def test_the_example_of_notices_is_sound_beside_it() -> None:
    said = parse(_example("economy") + _example("notices")).notices
    assert (said.product, said.below, said.names["coins"]["de"]) == (
        "Sports Club",
        {"coins": 100},
        "Münzen",
    )


def test_every_key_of_notices_is_on_the_page_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([\w.]+)` \| [^|]+ \| ([^|]+) \|", _PAGE, re.MULTILINE))
    usual = NoticeSettings()
    spelt = {
        "send": "`[]`",
        "operators": "`[]`",
        "reminder.days": f"`{usual.reminder_days}`",
        "expiring_soon.days": f"`{usual.expiring_days}`",
        "low_balance.below": "none",
        "quiet": "none",
        "language": f'`"{usual.language}"`',
        "keep_days": f"`{usual.keep_days}`",
        "product": "the economy's name",
        "channels": "both",
        "KIND.channels": "`channels`",
        "names.CODE": "the code",
    }
    assert spelt.items() <= rows.items()


def test_every_kind_is_on_the_page_with_who_may_name_it() -> None:
    table = _PAGE.rpartition("| in `send` |")[2]
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()[2:]]
    named = {kind.strip("`"): (program, send) for kind, _, program, send in cells}
    assert named.keys() == _KINDS
    operators = {kind for kind, (program, _) in named.items() if program == "always sent"}
    assert operators == OF_OPERATORS
    assert {kind for kind, (program, _) in named.items() if program} - operators == OF_PROGRAMS
    assert {kind for kind, (_, send) in named.items() if send} == OF_THE_REST
