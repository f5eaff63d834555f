"""Importing holders from files: all good rows or nothing, and every bad row told (H2, H3)."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bursar.holders import HolderChange, Holders, ImportPlan, Progress, Reject, Report, Sinks
from bursar.holders.importing.double_ids import DoubleIds
from bursar.holders.importing.import_plan import plan_of
from bursar.platform.errors import BursarError, Invalid, Missing, Rejected
from tests.holders.conftest import put
from tests.ledger.books import damage, table

PLAN = ImportPlan(map={"external_id": "id", "status": "state"})


class Imports:
    """Imports texts, and remembers what was rejected."""

    def __init__(self, holders: Holders, folder: Path, database: Any) -> None:
        self.holders = holders
        self.file = folder / "people.csv"
        self.rejects: list[Reject] = []
        self.progress: list[Progress] = []
        self._owner_url = database.owner_url

    async def __call__(
        self, text: str | bytes, plan: ImportPlan = PLAN, *, dry_run: bool = False
    ) -> Report:
        self.rejects.clear()
        self.file.write_bytes(text if isinstance(text, bytes) else text.encode())
        sinks = Sinks(progress=self.progress.append, reject=self.rejects.append)
        return await self.holders.import_file(
            self.file, plan, actor="test", reason="import", dry_run=dry_run, sinks=sinks
        )

    @property
    def told(self) -> dict[int, str]:
        return {reject.line: reject.reason for reject in self.rejects}

    def left(self) -> tuple[int, ...]:
        """How many holders, ids and entries there are."""
        query = "select (select count(*) from bursar.holders),"
        query += " (select count(*) from bursar.holder_ids), (select count(*) from bursar.entries)"
        return table(self._owner_url, query)[0]


@pytest.fixture
def imports(holders: Holders, tmp_path: Path, database: Any) -> Imports:
    return Imports(holders, tmp_path, database)


def counts(report: Report) -> tuple[int, ...]:
    return report.created, report.changed, report.unchanged, report.rejected


async def test_columns_values_and_defaults_are_mapped(imports: Imports) -> None:
    plan = ImportPlan(
        map={
            "external_id": "customerID", "status": "Churn", "verified": "checked",
            "created_at": "since", "subscription_start": "start", "attributes.months": "tenure",
            "attributes.zip": "zip", "attributes.partner": "Partner", "attributes.note": "note",
        },
        values={"status": {"Yes": "canceled", "No": "active"}},
        defaults={"tier": "free", "locale": "en"},
        texts=("attributes.zip",),
        flags=("attributes.partner",),
        zone="Europe/Oslo",
    )  # fmt: skip
    report = await imports(
        "customerID,Churn,checked,since,start,tenure,zip,Partner,note\r\n"
        'c1,Yes,yes,2020-01-01,2020-01-02T03:04:05Z,12,00501,No,"=1+1, ""x"""\r\n'
        "c2,No,0,2020-07-01,,3.50,1234,1,\r\n",
        plan,
    )
    assert counts(report) == (2, 0, 0, 0)
    one, two = [await imports.holders.get(i) for i in ("c1", "c2")]
    assert (one.status, one.verified, one.tier, one.locale) == ("canceled", True, "free", "en")
    assert one.created_at == one.matters_since == datetime(2019, 12, 31, 23, tzinfo=UTC)
    assert one.subscription_start == datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert json.loads(one.attributes) == {
        "months": 12, "zip": "00501", "partner": False, "note": '=1+1, "x"',
    }  # fmt: skip
    assert json.loads(two.attributes) == {"months": 3.5, "zip": "1234", "partner": True}
    assert (two.status, two.verified, two.subscription_start) == ("active", False, None)


async def test_the_same_file_again_changes_nothing(imports: Imports) -> None:
    text = "id,state,external_id,tier\na,active,x,\nb,past_due,y,pro\n"
    plan = ImportPlan(map={"external_id": "id", "status": "state", "tier": "tier"})
    assert counts(await imports(text, plan)) == (2, 0, 0, 0)
    assert counts(await imports(text, plan)) == (0, 0, 2, 0)
    changed = await imports(text.replace("past_due", "active"), plan)
    assert counts(changed) == (0, 1, 1, 0)
    [past] = (await imports.holders.history("b")).items
    assert (past.status, past.reason) == ("past_due", "import")


async def test_an_empty_cell_takes_nothing_away(imports: Imports) -> None:
    await put(imports.holders, HolderChange("a", email="a@b.org", attributes={"n": 1}))
    plan = ImportPlan(map={"external_id": "id", "email": "mail", "attributes.n": "n"})
    assert counts(await imports("id,mail,n\na,,\n", plan)) == (0, 0, 1, 0)
    assert counts(await imports("id,mail,n\na,  ,2\n", plan)) == (0, 1, 0, 0)
    found = await imports.holders.get("a")
    assert (found.email, found.attributes) == ("a@b.org", '{"n":2}')


async def test_without_a_map_columns_named_as_fields_are_taken(imports: Imports) -> None:
    await imports("external_id,tier,other\na,pro,x\n", ImportPlan())
    found = await imports.holders.get("a")
    assert (found.tier, found.attributes) == ("pro", "{}")


async def test_a_file_without_ids_is_imported_by_row_number(imports: Imports) -> None:
    plan = ImportPlan(map={"external_id": "@row", "status": "state"})
    await imports("state\nactive\n\npaused\n", plan)
    assert (await imports.holders.get("2")).status == "paused"


async def test_at_dates_what_changes(imports: Imports) -> None:
    plan = ImportPlan(map={"external_id": "id", "status": "state", "at": "when"})
    await imports("id,state,when\na,trialing,2026-01-01\n", plan)
    await imports("id,state,when\na,active,01.02.2026\n", ImportPlan(
        map=plan.map, date_format="%d.%m.%Y"
    ))  # fmt: skip
    [past] = (await imports.holders.history("a")).items
    assert (past.since.month, past.until.month) == (1, 2)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("b,Active", "status must be a lower-case word"),
        (",active", "external_id is empty"),
        ("b", "has 1 columns, the header has 2"),
        ("b,active,x", "has 3 columns"),
        ("b\0,active", "external_id must be"),
        ("x" * 201 + ",active", "external_id must be"),
        ("erased:1,active", "external_id may not begin"),
        ('"b" x,active', "is not CSV"),
        ("b" * 70_000 + ",active", "is longer than 65,536 bytes"),
        ("x" * 10_000_000, "is longer than 65,536 bytes"),
        ("a,active", "the same external_id stands in line 2"),
    ],
)
async def test_a_bad_row_is_told_with_its_line_and_the_others_are_imported(
    imports: Imports, row: str, reason: str
) -> None:
    report = await imports(f"id,state\na,active\n{row}\nc,active\n")
    assert counts(report) == (2, 0, 0, 1)
    [(line, told)] = imports.told.items()
    assert line == 3
    assert told.startswith(reason)
    assert imports.left()[:2] == (2, 2)


async def test_a_quote_that_does_not_end_is_told_with_the_lines_it_swallowed(
    imports: Imports,
) -> None:
    rows = "".join(f"h{i},active\n" for i in range(20_000))
    report = await imports(f'id,state\na,active\n"b,active\n{rows}')
    assert report.created > 1_000
    [(line, told)] = imports.told.items()
    assert line == 3
    assert "up to line" in told
    assert await imports.holders.get("a")


async def test_a_quoted_field_may_go_over_lines_and_lines_are_still_counted(
    imports: Imports,
) -> None:
    plan = ImportPlan(map={"external_id": "id", "attributes.note": "note"})
    await imports('id,note\na,"one\r\ntwo"\n\n,x\n', plan)
    assert json.loads((await imports.holders.get("a")).attributes) == {"note": "one\r\ntwo"}
    assert imports.told == {5: "external_id is empty"}


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ("x@,,,,", "email"),
        (",maybe,,,", "verified"),
        (",,31.12.2020,,", "created_at"),
        (",,2999-01-01,,", "created_at"),
        (",,1600-01-01,,", "created_at"),
        (",,,Mars,", "time_zone"),
        (",,,,{", "attributes"),
        (",,,,[1]", "attributes"),
        (',,,,"{""a"": ""\\u0000""}"', "attributes"),
    ],
)
async def test_a_cell_that_is_no_value_of_its_field_is_told(
    imports: Imports, cells: str, field: str
) -> None:
    names = ("email", "verified", "created_at", "time_zone", "attributes")
    plan = ImportPlan(map={"external_id": "id"} | {name: name for name in names})
    report = await imports(f"id,{','.join(names)}\na,{cells}\nb,,,,,\n", plan)
    assert counts(report) == (1, 0, 0, 1)
    assert imports.told[2].startswith(field)


async def test_attributes_that_are_too_large_or_cannot_be_kept_are_told(imports: Imports) -> None:
    plan = ImportPlan(
        map={"external_id": "id"} | {f"attributes.{n}": f"c{n}" for n in range(40)},
        texts=("attributes.1",),
    )
    header = ",".join(f"c{n}" for n in range(40))
    rows = [["x"] * 40, ["y" * 250] * 40, ["a\0b", *["x"] * 39], ["x", "a\0b", *["x"] * 38]]
    lines = "".join(f"h{i},{','.join(row)}\n" for i, row in enumerate(rows))
    assert counts(await imports(f"id,{header}\n{lines}", plan)) == (1, 0, 0, 3)
    assert "larger than" in imports.told[3]
    assert all("NUL" in imports.told[line] for line in (4, 5))


async def test_json_lines_are_read_by_name_and_type(imports: Imports) -> None:
    plan = ImportPlan(
        map={
            "external_id": "id", "verified": "ok", "email": "mail", "tier": "tier",
            "attributes.n": "n",
        },
        format="jsonl",
    )  # fmt: skip
    await put(imports.holders, HolderChange("4", email="x@y.org", verified=True))
    report = await imports(
        '\ufeff{"id": 4, "ok": false, "mail": null, "n": 1.50, "@row": 9}\n'
        '\n{"id": "b", "ok": 1, "tier": "pro", "n": "12"}\n'
        '{"id": "c", "n": {"nested": 1}}\n{"id": "d", "ok": [true]}\n[1]\n{"id": "e"\n'
        '{"id": "f", "n": "\\ud800"}\n{"id": true}\n',
        plan,
    )
    assert counts(report) == (1, 1, 0, 6)
    assert sorted(imports.told) == [4, 5, 6, 7, 8, 9]
    assert "nested" in imports.told[4]
    assert all("JSON" in imports.told[line] for line in (6, 7, 8))
    four, b = [await imports.holders.get(i) for i in ("4", "b")]
    assert (four.email, four.verified, json.loads(four.attributes)) == (None, False, {"n": 1.5})
    assert (b.verified, b.tier, json.loads(b.attributes)) == (True, "pro", {"n": "12"})


@pytest.mark.parametrize(
    ("text", "plan", "code"),
    [
        ("", PLAN, "file_empty"),
        ("id,state\n", PLAN, "file_empty"),
        ("\n\n", PLAN, "file_empty"),
        ("id\na\n", PLAN, "import_header"),
        ("id,id,state\na,b,active\n", PLAN, "import_header"),
        ("c," * 1_000_000 + "\n", PLAN, "import_header"),
        ("c," * 1_000 + "id,state\n", PLAN, "import_header"),
        ('id,"state\na,b\n', PLAN, "import_header"),
        ("id,state\rb,active\r", PLAN, "import_header"),
        ("id,state\nb\xe9,active\n".encode("latin-1"), PLAN, "import_encoding"),
        ("id,state\nb,active\n".encode("utf-16"), PLAN, "import_encoding"),
        ("id\na\n", ImportPlan(map=PLAN.map, encoding="utf-16"), "import_encoding"),
        ("id\na\n", ImportPlan(map=PLAN.map, encoding="rot13"), "import_encoding"),
        ("id\na\n", ImportPlan(map={"status": "id"}), "import_plan"),
        ("id\na\n", ImportPlan(), "import_plan"),
        ("id\na\n", ImportPlan(map={"external_id": "id", "x": "id"}), "import_plan"),
        ("id\na\n", ImportPlan(map=PLAN.map, zone="Mars"), "import_plan"),
        ("id\na\n", ImportPlan(map=PLAN.map, delimiter=""), "import_plan"),
        ("id\na\n", ImportPlan(map=PLAN.map, delimiter='"'), "import_plan"),
        ("id\na\n", ImportPlan(map=PLAN.map, defaults={"tier": "No Word"}), "import_plan"),
        ("id\na\n", ImportPlan(map=PLAN.map, openings={"coins": "id"}), "import_plan"),
        ('{"id": "a"}\n', ImportPlan(map=PLAN.map, format="jsonl"), "import_header"),
    ],
)
async def test_what_is_wrong_with_the_whole_file_imports_nothing(
    imports: Imports, text: str | bytes, plan: ImportPlan, code: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await imports(text, plan)
    assert caught.value.code == code
    assert imports.left() == (0, 0, 0)


async def test_an_encoding_that_fails_late_takes_everything_back(imports: Imports) -> None:
    good = "".join(f"h{i},active\n" for i in range(30_000)).encode()
    with pytest.raises(Invalid) as caught:
        await imports(b"id,state\n" + good + b"\xff,active\n")
    assert caught.value.fields["line"] == 30_002
    assert imports.left() == (0, 0, 0)


async def test_other_encodings_delimiters_and_marks_are_read(imports: Imports) -> None:
    plan = ImportPlan(map={"external_id": "id", "username": "name"}, encoding="latin-1")
    await imports("id,name\na,Zoë\n".encode("latin-1"), plan)
    assert (await imports.holders.get("a")).username == "Zoë"
    tabs = ImportPlan(map=plan.map, delimiter="\t")
    await imports('\ufeffid\tname\r\nb\tÅse, the "2nd"\r\n', tabs)
    assert (await imports.holders.get("b")).username == 'Åse, the "2nd"'


async def test_a_strict_import_imports_nothing_if_a_row_is_bad(imports: Imports) -> None:
    plan = ImportPlan(map=PLAN.map, strict=True)
    with pytest.raises(Rejected) as caught:
        await imports("id,state\na,active\nb,Bad\n", plan)
    assert caught.value.fields["rejected"] == 1
    assert imports.told[3].startswith("status")
    assert imports.left() == (0, 0, 0)
    assert counts(await imports("id,state\na,active\n", plan)) == (1, 0, 0, 0)


async def test_a_dry_run_says_what_would_happen_and_leaves_nothing(imports: Imports) -> None:
    await put(imports.holders, HolderChange("a"), HolderChange("b", status="paused"))
    text = "id,state,coins\na,active,1\nb,active,2.50\nc,active,\nd,Bad,1\n"
    plan = ImportPlan(map=PLAN.map, openings={"coins": "coins"}, name="launch")
    dry = await imports(text, plan, dry_run=True)
    assert (counts(dry), dry.openings, dry.dry_run) == ((1, 1, 1, 1), 2, True)
    assert imports.left() == (2, 2, 0)
    wet = await imports(text, plan)
    assert (counts(wet), wet.openings) == (counts(dry), dry.openings)


async def test_opening_balances_are_posted_once_in_the_assets_notation(
    imports: Imports, database: Any
) -> None:
    plan = ImportPlan(map=PLAN.map, openings={"coins": "balance"}, name="launch")
    text = "id,state,balance\na,active,1 234.5\nb,active,0\nc,active,\nd,active,7.00\n"
    first = await imports(text, plan)
    again = await imports(text, plan)
    assert (first.openings, first.replayed) == (2, 0)
    assert (again.openings, again.replayed, again.unchanged) == (0, 2, 4)
    ledger = imports.holders.ledger
    assert (await ledger.wallet("a", "coins")).balance == 123_450
    [entry] = (await ledger.statement("d", "coins")).items
    assert (entry.kind, entry.reference, entry.amount) == ("opening", "opening:launch", 700)
    assert damage(database.owner_url) == []


@pytest.mark.parametrize(
    "cell",
    ["-1", "1.234", "ten", "1e3", "99999999999999999999", "1,5", "\N{ARABIC-INDIC DIGIT ONE}"],
)
async def test_what_is_no_amount_rejects_its_row(imports: Imports, cell: str) -> None:
    plan = ImportPlan(map=PLAN.map, openings={"coins": "balance"}, name="launch")
    report = await imports(f'id,state,balance\na,active,"{cell}"\nb,active,1\n', plan)
    assert (counts(report), report.openings) == ((1, 0, 0, 1), 1)
    assert imports.told[2].startswith("opening of coins")
    with pytest.raises(Missing):
        await imports.holders.get("a")


async def test_whose_opening_is_refused_is_not_half_imported(imports: Imports) -> None:
    plan = ImportPlan(map=PLAN.map, openings={"coins": "balance"}, name="launch")
    await imports("id,state,balance\na,active,1\n", plan)
    report = await imports("id,state,balance\na,paused,2\nb,active,1\n", plan)
    assert (counts(report), report.openings) == ((1, 0, 0, 1), 1)
    assert "reference_conflict" in imports.told[2]
    assert (await imports.holders.get("a")).status == "active"


async def test_an_asset_that_is_none_is_told_before_anything(imports: Imports) -> None:
    with pytest.raises(Missing):
        await imports(
            "id\na\n", ImportPlan(map={"external_id": "id"}, openings={"x": "id"}, name="n")
        )


async def test_a_name_that_is_taken_rejects_its_row(imports: Imports) -> None:
    await imports.holders.unique(email=True, actor="test", reason="test")
    plan = ImportPlan(map={"external_id": "id", "email": "mail"})
    report = await imports("id,mail\na,x@y.org\nb,X@Y.org\nc,z@y.org\n", plan)
    assert counts(report) == (2, 0, 0, 1)
    assert "email_taken" in imports.told[3]


async def test_many_batches_are_one_import(imports: Imports) -> None:
    await put(imports.holders, HolderChange("h25000", status="paused"))
    rows = [f"h{i},active\n" for i in range(30_000)]
    rows[20_000] = "h5,active\n"
    report = await imports("id,state\n" + "".join(rows))
    assert counts(report) == (29_998, 1, 0, 1)
    assert imports.told == {20_002: "the same external_id stands in line 7"}
    size = imports.file.stat().st_size
    assert [(p.rows, p.size) for p in imports.progress] == [
        (10_000, size), (20_000, size), (30_000, size),
    ]  # fmt: skip
    assert imports.progress[-1].read == size


async def test_a_database_that_is_lost_on_the_way_leaves_nothing(
    imports: Imports, database: Any
) -> None:
    """The server ends the import's connection after the first batch."""
    text = "id,state\n" + "".join(f"h{i},active\n" for i in range(30_000))
    imports.file.write_text(text)

    def cut(_: Progress) -> None:
        with psycopg.connect(database.owner_url, autocommit=True) as owner:
            owner.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and backend_xid is not null"
            )

    with pytest.raises(BursarError) as caught:
        await imports.holders.import_file(
            imports.file, PLAN, actor="t", reason="r", sinks=Sinks(progress=cut)
        )
    assert caught.value.family == "unavailable"
    assert imports.left() == (0, 0, 0)
    assert counts(await imports(text)) == (30_000, 0, 0, 0)


@pytest.mark.parametrize("name", ["no-such-file.csv", "", "a\0b"])
async def test_a_file_that_cannot_be_read_is_told(
    imports: Imports, tmp_path: Path, name: str
) -> None:
    with pytest.raises(Invalid) as caught:
        await imports.holders.import_file(tmp_path / name, PLAN, actor="t", reason="r")
    assert caught.value.code == "file_unusable"


def test_a_plan_is_read_from_toml_and_its_mistakes_are_told() -> None:
    plan = plan_of({"map": {"external_id": "id"}, "values": {"status": {"Y": "active"}}})
    assert plan.values == {"status": {"Y": "active"}}
    for bad in ({"maps": {}}, {"map": []}, {"map": {"attributes.": "a"}}, {"texts": ["tier"]}):
        with pytest.raises(Invalid):
            plan_of(bad)
    both = {"attributes": "a", "attributes.b": "b", "external_id": "i"}
    with pytest.raises(Invalid):
        plan_of({"map": both})


def test_doubles_are_found_among_many() -> None:
    doubles = DoubleIds()
    assert not any(doubles.first_line(f"id{i}", i + 2) for i in range(200_000))
    assert [doubles.first_line(f"id{i}", 9) for i in (0, 77, 199_999)] == [2, 79, 200_001]
    assert doubles.first_line("other", 9) == 0
