"""docs/economy-file.md knows every key, fact and reason that there is."""

import re
from pathlib import Path

import pytest

from bursar.economy.model import Economy
from bursar.economy.parse import parse
from bursar.economy.read_program import BUILT_IN_REASONS
from bursar.programs import facts, model

_PAGE = (Path(__file__).parents[2] / "docs" / "economy-file.md").read_text("utf-8")
_CODE = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`]+)`", _PAGE))))
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
    assert fields - _CODE - {"assets", "programs"} == set()


def test_every_fact_is_on_the_page() -> None:
    assert [fact for fact in facts.FORMULA_FACTS if f"`{fact}`" not in _PAGE] == []


def test_every_reason_of_bursars_own_is_on_the_page() -> None:
    assert [reason for reason in BUILT_IN_REASONS if f"`{reason}`" not in _PAGE] == []


def test_the_example_of_the_page_is_sound() -> None:
    [example] = re.findall(r"\n\n((?:    .*\n|\n)*    \[economy\]\n(?:    .*\n|\n)*)", _PAGE)
    text = re.sub(r"^    ", "", example, flags=re.MULTILINE)
    assert parse(text).programs["monthly"].amount.fixed == 50_000
