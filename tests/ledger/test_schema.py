"""What the database promises by itself, whatever the program does (L1, L4, L5)."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors

from tests.conftest import Database
from tests.support import rows


@pytest.fixture
def owner(database: Database) -> Iterator[psycopg.Connection]:
    """The owner's connection to a database with a row in every table."""
    with psycopg.connect(database.owner_url, autocommit=True) as conn:
        rows.fill(conn)
        yield conn


@pytest.mark.parametrize("table", ["entries", "postings"])
@pytest.mark.parametrize("act", ["delete from {}", "truncate {}", "update {} set posting_id = 2"])
def test_what_is_written_stays(
    act: str, table: str, owner: psycopg.Connection, database: Database
) -> None:
    """The owner meets the trigger, the service has not even the privilege."""
    statement = act.format(f"bursar.{table}")
    with pytest.raises(errors.RestrictViolation):
        owner.execute(statement)
    with psycopg.connect(database.url) as service, pytest.raises(errors.InsufficientPrivilege):
        service.execute(statement)


def test_the_service_owns_nothing_and_may_create_nothing(database: Database) -> None:
    with psycopg.connect(database.url) as service:
        owned = service.execute(
            "select relname from pg_class where relowner = current_user::regrole"
        ).fetchall()
        assert owned == []
        with pytest.raises(errors.InsufficientPrivilege):
            service.execute("create table bursar.mine ()")


@pytest.mark.parametrize(
    ("amount", "house_account"), [(1, None), (0, "issuance")], ids=["no account", "no amount"]
)
def test_an_entry_is_a_balanced_pair(
    amount: int, house_account: str | None, owner: psycopg.Connection
) -> None:
    owner.execute("create temporary table copy as select * from bursar.entries")
    owner.execute(
        "update copy set seq = seq + 1, reference = 'other', amount = %s, house_account = %s",
        (amount, house_account),
    )
    with pytest.raises(errors.CheckViolation, match="entries_balanced_pair"):
        owner.execute("insert into bursar.entries select * from copy")


def test_no_column_is_a_float(owner: psycopg.Connection) -> None:
    floats = owner.execute(
        "select table_name, column_name from information_schema.columns"
        " where table_schema = 'bursar' and data_type in ('real', 'double precision', 'money')"
    ).fetchall()
    assert floats == []


def test_whatever_must_be_unique_leads_with_the_holder(owner: psycopg.Connection) -> None:
    """The tables of holders can then be distributed by holder without a change.

    Names and bounced addresses are found by themselves; the queue of deliveries is of machines and
    operators too; a dispatch only remembers at which holder it is. They stay in one place.
    """
    others = owner.execute(
        """
        select i.indexrelid::regclass::text
          from pg_index i
          join pg_attribute holder on holder.attrelid = i.indrelid and holder.attname = 'holder_id'
         where i.indisunique and i.indkey[0] <> holder.attnum
           and i.indrelid not in ('bursar.holder_ids'::regclass,
                                  'bursar.holder_names'::regclass,
                                  'bursar.mail_bounces'::regclass,
                                  'bursar.deliveries'::regclass,
                                  'bursar.dispatches'::regclass)
        """
    ).fetchall()
    assert others == []


def test_no_extension_is_needed(owner: psycopg.Connection) -> None:
    assert owner.execute("select extname from pg_extension").fetchall() == [("plpgsql",)]
