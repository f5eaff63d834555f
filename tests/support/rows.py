"""A row in every table, from the catalogue alone.

An upgrade must be proven on tables that hold something, whatever number of the schema they are
at; so the rows are not written out here but found: for each column a few values of its type and
those its table's checks spell out, tried until the checks agree.
"""

import re
from itertools import product
from typing import Final

import psycopg
from psycopg import errors, sql

_TABLES: Final = """
select c.oid, c.relname
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where n.nspname = 'bursar' and c.relkind = 'r' and c.relname <> 'migrations'
 order by c.oid
"""

_COLUMNS: Final = """
select attname, format_type(atttypid, null), attnotnull, attnum
  from pg_attribute
 where attrelid = %(table)s and attnum > 0 and not attisdropped
   and attidentity = '' and attgenerated = ''
 order by attnum
"""

_CHECKS: Final = """
select conkey, pg_get_constraintdef(oid)
  from pg_constraint
 where conrelid = %(table)s and contype = 'c'
"""

_VALUES: Final[dict[str, tuple[str, ...]]] = {
    "bigint": ("1", "0"),
    "bigint[]": ("{1}",),
    "boolean": ("true", "false"),
    "bytea": ("\\x01", "\\x" + 32 * "01"),
    "date": ("2026-01-01",),
    "date[]": ("{2026-01-01}",),
    "integer": ("1", "0"),
    "interval": ("0", "1 day"),
    "json": ("{}",),
    "jsonb": ("{}",),
    "numeric": ("1", "0"),
    "smallint": ("1", "0"),
    "text": ("a", "thing.verb"),
    "text[]": ("{admin}",),
    "time without time zone": ("22:00",),
    "timestamp with time zone": ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
    "uuid": ("00000000-0000-0000-0000-000000000001",),
    "xid8": ("1",),
}


def counts(conn: psycopg.Connection) -> dict[str, int]:
    """Count the rows of every table."""
    names = [name for _, name in conn.execute(_TABLES)]
    query = sql.SQL("select count(*) from {}")
    return {name: _one(conn, query.format(sql.Identifier("bursar", name))) for name in names}


def fill(conn: psycopg.Connection) -> None:
    """Put a row in every empty table; raises LookupError where no tried row is accepted."""
    empty = {name for name, number in counts(conn).items() if number == 0}
    for table, name in conn.execute(_TABLES).fetchall():
        if name in empty:
            _fill(conn, table, name)


def _fill(conn: psycopg.Connection, table: int, name: str) -> None:
    columns = conn.execute(_COLUMNS, {"table": table}).fetchall()
    checks = conn.execute(_CHECKS, {"table": table}).fetchall()
    choices = []
    for _, kind, not_null, number in columns:
        involved = [text for key, text in checks if number in key]
        spelled = [word for text in involved for word in re.findall(r"'([a-z_]+)'::text", text)]
        values = [*_VALUES[kind], *(spelled if kind == "text" else ())]
        nothing = () if not_null else (None,)
        # what no check looks at need not be varied
        choices.append((*values, *nothing) if involved else values[:1])
    insert = sql.SQL("insert into {} ({}) values ({})").format(
        sql.Identifier("bursar", name),
        sql.SQL(", ").join(sql.Identifier(column) for column, *_ in columns),
        sql.SQL(", ").join(sql.SQL("%s::{}").format(sql.SQL(kind)) for _, kind, *_ in columns),
    )
    for row in product(*choices):
        try:
            with conn.transaction():
                conn.execute(insert, row)
        except errors.IntegrityError:
            continue
        return
    raise LookupError(f"no row found that bursar.{name} accepts; give tests/support/rows.py values")


def _one(conn: psycopg.Connection, query: sql.Composed) -> int:
    [(value,)] = conn.execute(query)
    return int(value)
