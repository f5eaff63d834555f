"""``bursar holders import``: people out of a file into the directory (H2, H3)."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from bursar.cli import errors, holder_view, output
from bursar.cli.progress import Meter, meter
from bursar.cli.rejects import Rejects
from bursar.cli.session import Actor, Json, Where, actor_or_me, with_ledger
from bursar.holders import Holders, ImportPlan, Progress, Report, Sinks
from bursar.holders.importing.import_plan import pairs, plan_of, value_pairs
from bursar.ledger import Ledger
from bursar.platform.errors import Invalid

_PLAN = "The plan"


def _many(flag: str, metavar: str, text: str) -> Any:
    return typer.Option(flag, metavar=metavar, help=text, rich_help_panel=_PLAN)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or JSON Lines.")],
    plan_file: Annotated[
        Path | None, typer.Option("--plan", metavar="TOML", help="The plan as a file.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        _many("--map", "FIELD=COLUMN", "attributes.NAME is a field, @row a column; repeatable."),
    ] = None,
    value: Annotated[
        list[str] | None, _many("--value", "FIELD:FROM=TO", "What a cell's text stands for.")
    ] = None,
    default: Annotated[
        list[str] | None, _many("--default", "FIELD=VALUE", "What an empty cell means.")
    ] = None,
    opening: Annotated[
        list[str] | None, _many("--opening", "ASSET=COLUMN", "Opening balances; need --name.")
    ] = None,
    text: Annotated[
        list[str] | None,
        _many("--text", "attributes.NAME", "Stays a text, whatever it looks like."),
    ] = None,
    flag: Annotated[
        list[str] | None, _many("--flag", "attributes.NAME", "Is yes or no, true or false, 1 or 0.")
    ] = None,
    name: Annotated[
        str | None, _many("--name", "NAME", "Opening balances are posted once under each name.")
    ] = None,
    format_: Annotated[
        Literal["csv", "jsonl"] | None, _many("--format", "csv|jsonl", "By default by the name.")
    ] = None,
    delimiter: Annotated[
        str | None, _many("--delimiter", "CHARACTER", "A comma by default; tab is a tab.")
    ] = None,
    encoding: Annotated[
        str | None, _many("--encoding", "NAME", "utf-8 by default; latin-1, cp1252, …")
    ] = None,
    date_format: Annotated[
        str | None, _many("--date-format", "FORMAT", "As strptime's; ISO 8601 by default.")
    ] = None,
    zone: Annotated[
        str | None, _many("--zone", "ZONE", "Of dates that say none; UTC by default.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Import nothing if a row is bad.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen; import nothing.")
    ] = False,
    rejects: Annotated[
        Path | None,
        typer.Option("--rejects", metavar="FILE", help="For bad rows; by default FILE.rejects."),
    ] = None,
    reason: Annotated[
        str, typer.Option("--reason", help="Why; kept with what changes.")
    ] = "import",
    actor: Actor = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Import holders from a file: all good rows in one transaction, or nothing.

    Bad rows go to the rejects file with their line and the reason. The same file can be imported
    again: what is known is unchanged, opening balances are posted once.
    """
    given = {
        "map": pairs("--map", columns or ()),
        "values": value_pairs(value or ()),
        "defaults": pairs("--default", default or ()),
        "openings": pairs("--opening", opening or ()),
        "texts": text,
        "flags": flag,
        "name": name,
        "format": format_,
        "delimiter": "\t" if delimiter in {"tab", "\\t"} else delimiter,
        "encoding": encoding,
        "date_format": date_format,
        "zone": zone,
        "strict": strict,
    }
    plan = _plan(plan_file, given)
    beside = rejects or file.with_name(f"{file.name}.rejects")
    with Rejects(beside, plan.delimiter) as rejected:
        report = _import(file, plan, rejected, actor_or_me(actor), reason, dry_run, where)
    told = str(beside) if rejected.count else None
    if as_json:
        output.emit({"report": report, "rejects": told})
    else:
        holder_view.show_report(report, told)
    if report.rejected:
        raise typer.Exit(errors.REFUSED)


def _import(
    file: Path,
    plan: ImportPlan,
    rejected: Rejects,
    actor: str,
    reason: str,
    dry_run: bool,
    where: str | None,
) -> Report:
    """Run the import under a bar."""
    with meter("importing", 1, unit="rows") as bar:
        sinks = Sinks(lambda at: _show(bar, at), rejected.columns, rejected.add)

        async def work(ledger: Ledger) -> Report:
            return await Holders(ledger).import_file(
                file, plan, actor=actor, reason=reason, dry_run=dry_run, sinks=sinks
            )

        return with_ledger(where, work)


def _show(bar: Meter, at: Progress) -> None:
    """Show how far it is; how many rows there are is told from the bytes."""
    bar.at(at.rows, max(at.rows, at.rows * at.size // at.read) if at.read else None)


def _plan(file: Path | None, given: dict[str, Any]) -> ImportPlan:
    """Put what the options say over what the file says."""
    shape: dict[str, Any] = {}
    if file is not None:
        try:
            shape = tomllib.loads(file.read_text("utf-8"))
        except OSError as error:
            raise errors.of_file(error, file) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise Invalid("import_plan", f"{file}: {error}", path=str(file)) from None
    for name, said in given.items():
        if isinstance(said, dict) and isinstance(shape.get(name), dict):
            shape[name] = shape[name] | said
        elif said or said == "":
            shape[name] = said
    return plan_of(shape)
