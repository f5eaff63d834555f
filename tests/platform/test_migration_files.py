"""Cutting a file into statements, without a database."""

from pathlib import Path

import pytest

from bursar.platform.migrations.files import Migration, MigrationSet


def statements(text: str) -> list[tuple[int, str]]:
    return [tuple(s) for s in Migration(1, "x", text, "").statements()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select 1;", [(1, "select 1;")]),
        ("select 1;\nselect 2;\n", [(1, "select 1;"), (2, "select 2;")]),
        ("select 1", [(1, "select 1")]),
        ("-- only; a comment\n/* and; another */\n", []),
        ("-- first; a comment\n\nselect 1;", [(3, "select 1;")]),
        ("select ';' as \"a;b\", 'it''s;';", [(1, "select ';' as \"a;b\", 'it''s;';")]),
        ("select 1 -- ; not here\n;", [(1, "select 1 -- ; not here\n;")]),
        ("do $$ begin; end $$;select 1;", [(1, "do $$ begin; end $$;"), (1, "select 1;")]),
        ("do $a$ $$;$$ ; $a$;", [(1, "do $a$ $$;$$ ; $a$;")]),
    ],
)
def test_a_semicolon_ends_a_statement_unless_something_encloses_it(
    text: str, expected: list[tuple[int, str]]
) -> None:
    assert statements(text) == expected


@pytest.mark.parametrize("names", [["0002_b"], ["0001_a", "0003_c"], ["0001_a", "0001_b"]])
def test_numbers_have_neither_gaps_nor_doubles(names: list[str], tmp_path: Path) -> None:
    for name in names:
        (tmp_path / f"{name}.sql").write_text("select 1;")
    with pytest.raises(ValueError, match="numbered 0001"):
        MigrationSet.read(tmp_path, previous_release=0)


def test_other_files_in_the_directory_are_not_migrations(tmp_path: Path) -> None:
    for name in ("README.md", "1_short.sql", "0001_a.sql.orig"):
        (tmp_path / name).write_text("")
    assert MigrationSet.read(tmp_path, previous_release=0).latest == 0
