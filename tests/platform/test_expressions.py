"""Expressions: what they answer, what is found before they run, and that nothing gets past."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bursar.platform.errors import Invalid
from bursar.platform.expressions import Environment, Failed

FACTS = Environment(
    {
        "holder.status": "text",
        "holder.verified": "bool",
        "holder.age_days": "int",
        "holder.joined_at": "instant",
        "holder.tags": "json",
        "streak": "int",
    }
)
ADA = {
    "holder.status": "active",
    "holder.verified": True,
    "holder.age_days": 40,
    "holder.joined_at": datetime(2026, 3, 1, tzinfo=UTC),
    "holder.tags": {"level": 3, "rate": 1.5, "beta": True, "groups": ["a", "b"], "none": None},
    "streak": 4,
}


def condition(source: str):
    return FACTS.compile(source, answers="bool", where="who.active")


def amount(source: str):
    return FACTS.compile(source, answers="int", where="amount")


def refusal(source: str, answers="bool") -> Invalid:
    with pytest.raises(Invalid) as caught:
        FACTS.compile(source, answers=answers, where="who.active")
    assert caught.value.code == "expression_invalid"
    assert caught.value.fields["where"] == "who.active"
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 400
    return caught.value


def failure(expression, values=ADA) -> Failed:
    with pytest.raises(Failed) as caught:
        expression.evaluate(values)
    assert len(caught.value.message) <= 200
    return caught.value


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ('holder.status == "active" && holder.verified', True),
        ("holder.age_days > 365", False),
        ('holder.joined_at < timestamp("2026-03-02T00:00:00Z")', True),
        ('holder.tags.level >= 3 && "a" in holder.tags.groups', True),
        ('holder.tags.groups.exists(g, g == "b")', True),
        ("has(holder.tags.nothing)", False),
        ("holder.tags.beta", True),
        ('holder.status.matches("^act")', True),
        ("holder.tags.none == null", True),
    ],
)
def test_a_condition_answers(source: str, answer: bool) -> None:
    assert condition(source).evaluate(ADA) is answer


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("50000", 50_000),
        ('holder.status == "active" ? 700 : 0', 700),
        ("int(holder.tags.rate * 1000.0)", 1500),
        ("holder.tags.level", 3),
        ("holder.tags.level + streak", 7),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_an_amount_answers_in_whole_numbers(source: str, answer: int) -> None:
    value = amount(source).evaluate(ADA)
    assert (type(value), value) == (int, answer)


def test_a_misspelt_name_is_found_with_its_place_and_what_was_meant() -> None:
    error = refusal('holder.verified &&\n  holder.statsu == "active"')
    assert (error.fields["line"], error.fields["column"]) == (2, 9)
    assert error.fields["near"][0] == "holder.status"
    assert "there is no holder.statsu; is it holder.status" in error.message


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("1 +", "line 1, column 4"),
        ("holder.verified && (", "line 1"),
        ("true || 1", "no matching overload"),
        ("streak", "the answer is int, not bool"),
        ('"a"', "the answer is string, not bool"),
        ("null", "the answer is null"),
        ("a\0b", "no text"),
        ('"\ud800" == ""', "no text"),
        ("now() > holder.joined_at", "there is no now"),
        ("holder", "is it holder."),
        ("import('os')", "line 1"),
        ("9223372036854775808 > 1", "invalid int literal"),
        ("true" + " " * 4000, "longer than 4000"),
        ("(" * 500 + "true" + ")" * 500, "recursion limit"),
        ("1" + "+1" * 1500 + " > 0", "recursion depth"),
        ("streak." * 300 + "x", ""),
        ("`holder.verified", "line 1"),
        ("'\\uD800' == ''", ""),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_plain_line(source: str, words: str) -> None:
    assert words in refusal(source).message


def test_an_amount_with_a_fraction_is_told_how_to_be_whole() -> None:
    assert "int(" in refusal("1.5", "int").message
    assert "int(" in refusal("1u", "int").message
    assert "int(" in failure(amount("holder.tags.rate")).message


@pytest.mark.parametrize(
    "source",
    [
        '"a" + "b" == "ab"',
        "[1] + [2] == [1, 2]",
        'b"a" + b"b" == b"ab"',
        "[1].map(x, x * 2).size() > 0",
        "holder.tags.filter(t, true).size() > 0",
        "dyn('a') + dyn('a') == 'aa'",
        '["aaaaaaaa"]' + ".map(a, a + a + a + a)" * 12 + ".size() > 0",
        '["aaaa"].exists(a, [dyn(a) + dyn(a)].exists(b, [b + b] == []))',
        "[[0]].exists(a,[[a,a]].exists(b,[[b,b]].exists(c,c == c)))",
        "holder.tags.all(k, [holder.tags, holder.tags] == [])",
        "holder.tags.all(k, k in[k])",
        "holder.tags.all(k, k in [ 1, [k] ])",
        "holder.tags.all(k, {'a': k} == {})",
        "holder.tags.all(k, {k: 1} == {})",
        "holder.tags.all(k, true ? [streak] == [1] : [[1][streak]] == [1])",
        "[[0]] . exists  (a,[[a,a]]\n.exists (b,[[b,b]]. // .x(\n all\t(c,c == c)))",
        "[[')']].exists(a,[[a,a]].exists(b,[[b,b]].exists(c,c == c)))",
        "[r'\\'].exists(a,[[a,a]].exists(b,[[b,b]].exists(c,c == c)))",
    ],
)
def test_what_could_grow_without_bound_is_refused(source: str) -> None:
    said = refusal(source).message
    assert "joined" in said or "nested" in said or "hold no names" in said


def test_loops_side_by_side_and_one_in_another_are_allowed() -> None:
    side = "holder.tags.exists(t, t == 'level') && " * 5 + "holder.tags.all(t, t != '.all(')"
    assert condition(side).evaluate(ADA) is True
    assert condition("[1].exists(a, [2].exists(b, a < b))").evaluate({}) is True
    indexed = "holder.tags.exists(t, t in ['level', 'x'] && holder.tags[t] == [3][0])"
    assert condition(indexed).evaluate(ADA) is True
    assert condition("[streak, 1] == [4, 1]").evaluate(ADA) is True


def test_an_endless_expression_runs_out_of_its_budget() -> None:
    values = {"holder.tags": {str(n): n for n in range(500)}}
    endless = condition("holder.tags.all(a, holder.tags.all(b, a != '' && b != ''))")
    assert failure(endless, values).code == "expression_budget"


@pytest.mark.parametrize(
    "source",
    [
        "1 / (streak - 4) == 0",
        "1 % (streak - 4) == 0",
        "9223372036854775807 + streak > 0",
        "-9223372036854775807 - streak < 0",
        "9223372036854775807 * streak > 0",
        "int(holder.status) > 1",
        "int(1.0e300 * holder.tags.rate) > 1",
        "holder.tags.nothing == 1",
        "holder.tags.rate + 1 > 0",
        "holder.tags.none > 1",
        'holder.status.matches("(")',
        'holder.status.matches("((((a{1,100}){1,100}){1,100}){1,100})")',
        "[1][streak] == 1",
        'timestamp(holder.status) > timestamp("2026-01-01T00:00:00Z")',
        'holder.joined_at + duration("99999999999h") > holder.joined_at',
        'holder.joined_at.getHours("Nowhere/City") > 1',
    ],
)
def test_an_expression_that_goes_wrong_fails_and_does_not_answer(source: str) -> None:
    assert failure(condition(source)).code == "expression_error"


def test_a_pattern_that_backtracks_elsewhere_is_answered_at_once() -> None:
    values = {"holder.status": "a" * 50_000 + "!"}
    assert condition('holder.status.matches("^(a+)+$")').evaluate(values) is False


@pytest.mark.parametrize("source", ["holder.tags.level", "holder.tags.groups", "holder.tags.none"])
def test_an_answer_of_another_type_fails(source: str) -> None:
    assert failure(condition(source)).code == "expression_type"


@pytest.mark.parametrize(
    ("name", "source", "value", "code"),
    [
        ("streak", "streak > 0", "4", "expression_type"),
        ("streak", "streak > 0", True, "expression_type"),
        ("streak", "streak > 0", 1.5, "expression_type"),
        ("streak", "streak > 0", 2**63, "expression_error"),
        ("streak", "streak > 0", -(10**30), "expression_error"),
        ("streak", "streak > 0", None, "expression_error"),
        ("holder.verified", "holder.verified", 1, "expression_type"),
        ("holder.status", "holder.status == 'a'", b"a", "expression_type"),
        ("holder.status", "holder.status == 'a'", "\ud800", "expression_error"),
        ("holder.joined_at", "holder.joined_at == holder.joined_at", "now", "expression_type"),
        (
            "holder.joined_at",
            "holder.joined_at == holder.joined_at",
            datetime(2026, 1, 1),  # noqa: DTZ001
            "expression_type",
        ),
        ("holder.tags", "holder.tags.x == 1", [], "expression_type"),
        ("holder.tags", "holder.tags.x == 1", {"x": object()}, "expression_error"),
        ("holder.tags", "holder.tags.x == 1", {"x": 2**70}, "expression_error"),
        ("holder.tags", "holder.tags.x == 1", {1: 1}, "expression_error"),
        ("holder.tags", "holder.tags.x == 1", {"x": "\ud800"}, "expression_error"),
    ],
)
def test_a_fact_that_is_not_what_was_declared_fails(name, source, value, code) -> None:
    assert failure(condition(source), ADA | {name: value}).code == code


def test_json_nested_without_end_is_refused() -> None:
    """The library itself would overflow the stack, and the process would be gone."""
    deep: dict[str, object] = {}
    for _ in range(50_000):
        deep = {"x": [deep]}
    cyclic: dict[str, object] = {}
    cyclic["x"] = cyclic
    for tags in (deep, cyclic):
        for source in ("holder.tags.x == 1", "holder.tags == holder.tags", "holder.tags.x"):
            assert failure(condition(source), {"holder.tags": tags}).code == "expression_budget"


def test_json_of_a_sane_depth_is_read() -> None:
    deep: dict[str, object] = {"x": 1}
    for _ in range(63):
        deep = {"x": deep}
    assert condition("has(holder.tags.x.x.x)").evaluate({"holder.tags": deep}) is True


def test_a_fact_that_is_missing_fails_only_what_depends_on_it() -> None:
    either = condition("holder.verified || streak > 3")
    assert either.evaluate({"streak": 4}) is True
    assert failure(either, {"streak": 1}).code == "expression_error"
    assert failure(either, {}).code == "expression_error"


def test_facts_that_an_expression_does_not_name_are_not_looked_at() -> None:
    assert condition("streak > 0").evaluate({"streak": 1, "holder.tags": object()}) is True


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("true", set()),
        ("streak > 0", {"streak"}),
        ("'streak' == \"holder.verified\"", set()),
        ("streak > 0 // holder.verified", {"streak"}),
        ("holder . status == '' ", {"holder.status"}),
        ("holder. // it's\n status == ''", {"holder.status"}),
        ("r'\\n' == '' && holder.verified || '' == ''", {"holder.verified"}),
        ("'\\'' == '' && holder.verified", {"holder.verified"}),
        ("'''a'b''' == '' && holder.verified", {"holder.verified"}),
        ("r'''a'b\\n''' == '' && holder.verified", {"holder.verified"}),
        (".holder.verified", {"holder.verified"}),
        ("holder.tags.level == 1", {"holder.tags"}),
        ("holder.tags['holder.verified'] == 1", {"holder.tags"}),
        ("[1].exists(streak, streak > 0)", {"streak"}),
    ],
)
def test_the_names_of_an_expression_are_those_outside_of_its_texts(source, names) -> None:
    assert condition(source).names == names


def test_an_instant_of_another_offset_is_the_same_instant() -> None:
    there = datetime(2026, 3, 1, 5, tzinfo=timezone(timedelta(hours=5)))
    source = 'holder.joined_at == timestamp("2026-03-01T00:00:00Z")'
    assert condition(source).evaluate({"holder.joined_at": there}) is True


WORDS = """holder.status holder.tags streak true 1 0 2.5 "a" 'b' ( ) [ ] { } . , ? : && || ! == < +
- * / % in .all( .exists( .map( x has( int( size( matches( r" ` null // \\"""
PIECES = st.sampled_from([*WORDS.split(), "\n"])


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=25).map(" ".join) | st.text(max_size=80))
def test_whatever_is_written_answers_or_is_refused_and_nothing_else(source: str) -> None:
    try:
        expression = condition(source)
    except Invalid as error:
        said = error.code
    else:
        try:
            said = type(expression.evaluate(ADA)).__name__
        except Failed as failed:
            said = failed.code
    assert said in {
        "bool",
        "expression_invalid",
        "expression_error",
        "expression_type",
        "expression_budget",
    }
