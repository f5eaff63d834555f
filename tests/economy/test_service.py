"""Versions of the economy file: looked ahead to, applied, held back for a second person."""

import asyncio

import psycopg
import pytest

from bursar.ledger import Credit
from bursar.platform.errors import BursarError, Conflict, Invalid, Missing, Rejected
from tests.economy.conftest import Books, Forecast
from tests.economy.files import program


def club(amount: int = 5, limit: int | None = None, **head: str) -> str:
    """A file of one program ``p``, with a limit an award and keys of its head."""
    limits = {} if limit is None else {"limits": f"{{ award = {limit} }}"}
    text = program(amount=str(amount), **limits)
    extra = "".join(f"{key} = {value}\n" for key, value in head.items())
    return text.replace('name = "club"\n', f'name = "club"\n{extra}')


def two(text: str) -> str:
    """The same file with a second program."""
    return text + '[programs.q]\nasset = "gems"\nschedule = { once = true }\namount = 1\n'


async def test_a_first_file_makes_assets_and_programs(books: Books) -> None:
    assert await books.apply(two(club())) == (1, "applied")
    assert [asset.code for asset in await books.ledger.assets()] == ["coins", "gems"]
    assert books.programs() == {"p": (1, False), "q": (1, False)}
    assert (await books.service.show()).text == two(club())


async def test_the_same_text_again_is_no_new_version(books: Books) -> None:
    await books.apply(club())
    again = await books.service.apply(club(), actor="bob", reason="again")
    assert (again.unchanged, again.version.version, again.version.actor) == (True, 1, "ann")
    assert len(await books.service.history()) == 1


async def test_a_program_left_out_is_retired_and_may_come_back(books: Books) -> None:
    await books.apply(two(club()))
    await books.apply(club())
    assert books.programs() == {"p": (1, False), "q": (1, True)}
    await books.apply(two(club()))
    assert books.programs() == {"p": (1, False), "q": (2, False)}


async def test_a_plan_says_what_would_change_and_changes_nothing(books: Books) -> None:
    await books.apply(two(club()))
    books.book.forecasts["p"] = Forecast(3, 18, 1, {"paused": 2})
    wanted = club(6).replace("[assets.gems]\n", "[assets.pearls]\nscale = 2\n")
    plan = await books.service.plan(wanted)
    told = [(c.what, c.name, c.action, c.effect) for c in plan.changes]
    assert told == [
        ("asset", "gems", "removed", "no longer in the file; the books and the wallets keep it"),
        ("asset", "pearls", "added", "with 2 decimal places, for good"),
        ("program", "p", "changed", "version 2 begins where what is paid ends"),
        ("program", "q", "removed", "is retired: no further period begins, what it gave stays"),
    ]
    [found] = plan.changes[2].differences
    assert (found.field, found.before, found.after) == ("amount.fixed", "5", "6")
    [cost] = plan.costs
    assert (cost.program, cost.awards, cost.amount, cost.failed) == ("p", 3, 18, 1)
    assert cost.excluded == {"paused": 2}
    assert books.programs() == {"p": (1, False), "q": (1, False)}
    assert [asset.code for asset in await books.ledger.assets()] == ["coins", "gems"]
    assert len(await books.service.history()) == 1


async def test_a_plan_spells_keys_as_the_file_does(books: Books) -> None:
    await books.apply(club())
    wanted = club().replace(
        '{ every = "month" }', '{ every = "month", day = 3, time_zone = "Europe/Paris" }'
    )
    [change] = (await books.service.plan(wanted + "starts = 2026-01-01\n")).changes
    assert [(d.field, d.before, d.after) for d in change.differences] == [
        ("schedule.day", "1", "3"),
        ("schedule.time_zone", "UTC", "Europe/Paris"),
        ("starts", "", "2026-01-01"),
    ]


async def test_a_program_that_is_off_costs_nothing(books: Books) -> None:
    books.book.forecasts["p"] = Forecast(3, 18, 0, {})
    [cost] = (await books.service.plan(club() + "enabled = false\n")).costs
    assert (cost.awards, cost.amount) == (0, 0)
    assert (await books.service.plan(club(), costs=False)).costs == ()


async def test_only_what_the_plan_showed_is_applied(books: Books) -> None:
    plan = await books.service.plan(club())
    with pytest.raises(Conflict) as other_file:
        await books.apply(club(6), expect=plan.hash)
    assert other_file.value.code == "economy_moved"
    assert await books.apply(club(), expect=plan.hash) == (1, "applied")
    late = await books.service.plan(club(7))
    await books.apply(club(8))
    with pytest.raises(Conflict) as moved:
        await books.apply(club(7), expect=late.hash)
    assert moved.value.code == "economy_moved"


async def test_what_programs_refuse_leaves_nothing_and_is_told_by_the_plan(books: Books) -> None:
    books.book.refused.add("q")
    for ask in (books.service.plan(two(club())), books.apply(two(club()))):
        with pytest.raises(Rejected) as caught:
            await ask
        assert caught.value.code == "refused_by_test"
    assert books.programs() == {}
    assert await books.ledger.assets() == []
    assert await books.service.history() == []


async def test_who_applies_at_once_takes_turns(books: Books) -> None:
    texts = [club(n) for n in range(1, 9)]
    applied = await asyncio.gather(*(books.apply(text) for text in texts))
    assert sorted(applied) == [(n, "applied") for n in range(1, 9)]
    assert books.programs() == {"p": (8, False)}
    in_force = await books.service.show()
    assert in_force.version == 8


async def test_a_file_with_problems_changes_nothing(books: Books) -> None:
    with pytest.raises(Invalid) as caught:
        await books.apply("[economy]\n")
    assert caught.value.code == "economy_invalid"
    with pytest.raises(Invalid):
        await books.service.plan(b"\xff")
    with pytest.raises(Invalid):
        await books.service.apply(club(), actor="", reason="r")
    with pytest.raises(Missing) as missing:
        await books.service.show()
    assert missing.value.code == "economy_missing"


async def test_the_scale_of_an_asset_is_for_good(books: Books) -> None:
    await books.ledger.add_asset("coins", scale=2, actor="test", reason="test")
    for ask in (books.service.plan(club()), books.apply(club())):
        with pytest.raises(Rejected) as caught:
            await ask
        assert (caught.value.code, caught.value.fields["scale"]) == ("economy_scale", 2)


async def test_the_file_of_another_economy_is_refused_unless_it_is_renamed(books: Books) -> None:
    await books.apply(club())
    other = club().replace('"club"', '"arena"')
    with pytest.raises(Rejected) as caught:
        await books.apply(other)
    assert (caught.value.code, caught.value.fields["name"]) == ("economy_name", "club")
    assert await books.apply(other, rename=True) == (2, "applied")


# --- limits ---------------------------------------------------------------------------------


async def test_a_raised_limit_waits_with_all_of_its_text(books: Books) -> None:
    await books.apply(club(5, limit=10))
    plan = await books.service.plan(club(6, limit=11))
    assert plan.raises == ("programs.p.limits.award: 10 → 11",)
    assert await books.apply(two(club(6, limit=11))) == (2, "waiting")
    assert books.programs() == {"p": (1, False)}
    assert (await books.service.show()).version == 1
    assert await books.apply(two(club(6, limit=11)), actor="bob") == (2, "waiting")


async def test_a_limit_that_goes_is_raised_and_one_that_comes_or_falls_is_not(books: Books) -> None:
    await books.apply(club())
    assert await books.apply(club(5, limit=10)) == (2, "applied")
    assert await books.apply(club(5, limit=9)) == (3, "applied")
    plan = await books.service.plan(club())
    assert plan.raises == ("programs.p.limits.award: 9 → none",)


@pytest.mark.parametrize("limit", ["award", "run", "day", "approve_above"])
async def test_each_limit_counts(books: Books, limit: str) -> None:
    await books.apply(club() + f"limits = {{ {limit} = 100 }}\n")
    assert await books.apply(club() + f"limits = {{ {limit} = 101 }}\n") == (2, "waiting")


async def test_a_limit_is_not_raised_in_two_steps(books: Books) -> None:
    """Out with the program and in again would else be a way round the second person."""
    await books.apply(two(club(5, limit=10)))
    without = two(club(5, limit=10)).replace("[programs.p]", "[programs.r]")
    await books.apply(without)
    assert await books.apply(two(club(5, limit=11))) == (3, "waiting")
    assert await books.apply(two(club(5, limit=10))) == (4, "applied")


async def test_a_second_person_puts_it_in_force(books: Books) -> None:
    await books.apply(club(5, limit=10))
    await books.apply(two(club(6, limit=11)))
    with pytest.raises(Rejected) as same:
        await books.service.approve(2, actor="ann", reason="test")
    assert same.value.code == "economy_second_person"
    approved = await books.service.approve(2, actor="bob", reason="test")
    assert (approved.state.value, approved.actor, approved.decided_by) == ("applied", "ann", "bob")
    assert approved.applied_at is not None
    assert books.programs() == {"p": (2, False), "q": (1, False)}
    assert (await books.service.show()).version == 2
    with pytest.raises(Conflict) as again:
        await books.service.approve(2, actor="bob", reason="test")
    assert (again.value.code, again.value.fields["state"]) == ("economy_decided", "applied")


async def test_a_refused_version_never_comes_in_force(books: Books) -> None:
    await books.apply(club(5, limit=10))
    await books.apply(club(5, limit=11))
    assert (await books.service.refuse(2, actor="ann", reason="test")).state.value == "refused"
    with pytest.raises(Conflict):
        await books.service.approve(2, actor="bob", reason="test")
    assert await books.apply(club(5, limit=11)) == (3, "waiting")


async def test_a_later_text_overtakes_the_one_that_waits(books: Books) -> None:
    await books.apply(club(5, limit=10))
    await books.apply(club(5, limit=11))
    await books.apply(club(4, limit=10), actor="bob")
    states = [(v.version, v.state.value) for v in await books.service.history()]
    assert states == [(3, "applied"), (2, "refused"), (1, "applied")]


async def test_what_programs_would_refuse_is_told_before_it_waits(books: Books) -> None:
    await books.apply(club(5, limit=10))
    books.book.refused.add("p")
    with pytest.raises(Rejected):
        await books.apply(club(5, limit=11))
    assert len(await books.service.history()) == 1


@pytest.mark.parametrize("version", [0, -1, 7, 2**40])
async def test_a_version_that_is_not_there(books: Books, version: int) -> None:
    for ask in (
        books.service.approve(version, actor="bob", reason="test"),
        books.service.refuse(version, actor="bob", reason="test"),
        books.service.show(version),
    ):
        with pytest.raises(Missing) as caught:
            await ask
        assert caught.value.code == "economy_version_unknown"


async def test_history_is_read_in_pages(books: Books) -> None:
    for n in range(1, 6):
        await books.apply(club(n))
    assert [v.version for v in await books.service.history(limit=2)] == [5, 4]
    assert [v.version for v in await books.service.history(below=4, limit=9)] == [3, 2, 1]
    with pytest.raises(BursarError):
        await books.service.history(limit=0)


async def test_the_service_may_not_rewrite_a_version(books: Books) -> None:
    await books.apply(club())
    for change in ("set text = ''", "set actor = 'x'", "set sha256 = ''"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with books.ledger.database._pool.connection() as connection:
                await connection.execute(f"update bursar.economy_versions {change}")


# --- the sandbox ----------------------------------------------------------------------------


async def test_a_sandbox_is_made_by_the_file_while_nothing_was_posted(books: Books) -> None:
    await books.apply(club(sandbox="true"))
    assert books.owner.execute("select sandbox from bursar.economy").fetchone() == (True,)
    await books.apply(club())
    assert books.owner.execute("select sandbox from bursar.economy").fetchone() == (False,)


async def test_books_with_entries_cannot_become_a_sandbox(books: Books) -> None:
    await books.apply(club())
    credit = Credit(holder="maria", asset="coins", reference="r", amount=1)
    await books.ledger.post([credit], actor="a", reason="r")
    with pytest.raises(Rejected) as caught:
        await books.apply(club(sandbox="true"))
    assert caught.value.code == "economy_sandbox"


async def test_a_sandbox_whose_clock_was_moved_stays_one(books: Books) -> None:
    await books.apply(club(sandbox="true"))
    books.owner.execute("update bursar.economy set clock_offset = '1 day'")
    with pytest.raises(Rejected) as caught:
        await books.apply(club())
    assert caught.value.code == "economy_sandbox"
    assert await books.apply(club(6, sandbox="true")) == (2, "applied")
