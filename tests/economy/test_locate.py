"""The line of each key, in every way that TOML can write one."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from bursar.economy.locate import Lines


def lines_of(text: str) -> Lines:
    tomllib.loads(text)
    return Lines(text)


def test_keys_of_tables_stand_where_they_are_written() -> None:
    lines = lines_of('a = 1\n\n[t]  # [no.table]\nb = "x"\n\n[t.u]\nc = 1\n')
    assert lines.find(("a",)) == 1
    assert lines.find(("t",)) == 3
    assert lines.find(("t", "b")) == 4
    assert lines.find(("t", "u")) == 6
    assert lines.find(("t", "u", "c")) == 7


def test_dotted_and_quoted_keys() -> None:
    lines = lines_of('[a."b.c"]\nd.e = 1\n"f\\u0067" = 2\n\'h i\' = 3\n[ a . x ]\ny=1\n')
    assert lines.find(("a",)) == 1
    assert lines.find(("a", "b.c", "d")) == 2
    assert lines.find(("a", "b.c", "d", "e")) == 2
    assert lines.find(("a", "b.c", "fg")) == 3
    assert lines.find(("a", "b.c", "h i")) == 4
    assert lines.find(("a", "x", "y")) == 6


def test_what_looks_like_a_key_within_a_value_is_none() -> None:
    text = (
        'a = """\n[t]\nx = 1\n\\""" """\n'
        "b = '''\n[u]\ny = '' 2\n'''\n"
        'c = [ # ]\n  1, # [v]\n  \'[\', "]\\"",\n]\n'
        "d = { e = 1, f = '}' } # g = 1\n"
        "z = 1\n"
    )
    lines = lines_of(text)
    assert [lines.find((key,)) for key in "abcdz"] == [1, 5, 9, 13, 14]
    assert lines.find(("t", "x")) == 1
    assert lines.find(("d", "e")) == 13


def test_tables_of_arrays_and_strings_that_end_in_quotes() -> None:
    lines = lines_of("[[r]]\na = 1\n[[r]]\nb = \"\"\"x\"\"\"\"\"\nc = '''y'''''\nd = 1\n")
    assert lines.find(("r",)) == 3
    assert lines.find(("r", "d")) == 6


def test_what_is_not_there_is_on_its_parents_line() -> None:
    lines = lines_of("\n[t]\na = { b = 1 }\n")
    assert lines.find(("t", "a", "b", "c")) == 3
    assert lines.find(("t", "nothing")) == 2
    assert lines.find(("nothing",)) == 1


@given(st.text(st.sampled_from("ab.[]{}=\"'#\\\n, 1"), max_size=60))
def test_whatever_the_text_the_walk_ends(text: str) -> None:
    assert Lines(text).find(("a",)) >= 1
