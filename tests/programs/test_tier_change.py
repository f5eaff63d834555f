"""What a change of tier in the midst of a period brings (P4)."""

from datetime import date

from bursar.programs.model import Amount, Calendar, Proration, Rolling
from tests.programs.people import at, balance, enrol

TABLE = Amount(by_tier={"free": 1_000, "pro": 20_000, "max": 50_000})


async def played(programs) -> None:
    await programs.do_all_due()
    assert (await programs.ledger.verify()).ok


async def test_by_default_a_higher_tier_counts_from_the_next_period(programs, put, clock) -> None:
    clock(2026, 2, 20)
    await enrol(programs, "ann", tier="free", created_at=at(2025, 1, 1))
    await put(amount=TABLE, starts=date(2026, 3, 1))
    clock(2026, 3, 1)
    await played(programs)
    clock(2026, 3, 10)
    await enrol(programs, "ann", tier="pro")
    await played(programs)
    assert await balance(programs, "ann") == 1_000
    clock(2026, 4, 1)
    await played(programs)
    assert await balance(programs, "ann") == 21_000


async def test_the_difference_is_given_at_once_and_once(programs, put, clock) -> None:
    clock(2026, 2, 20)
    await enrol(programs, "ann", tier="free", created_at=at(2025, 1, 1))
    await enrol(programs, "bob", tier="pro", created_at=at(2025, 1, 1))
    await put(amount=TABLE, starts=date(2026, 3, 1), on_tier_change="difference_now")
    clock(2026, 3, 1)
    await played(programs)
    for day, ann, bob in ((10, "pro", "free"), (11, "free", "pro"), (12, "pro", "max")):
        clock(2026, 3, day)
        await enrol(programs, "ann", tier=ann)
        await enrol(programs, "bob", tier=bob)
        await played(programs)
        await played(programs)
    assert await balance(programs, "ann") == 20_000
    assert await balance(programs, "bob") == 50_000
    newest = (await programs.history("ann"))[0]
    assert (newest.kind, newest.added, newest.tier) == ("subscription_change", 19_000, "pro")


async def test_a_joiner_s_difference_is_a_part_as_well(programs, put, clock) -> None:
    clock(2026, 3, 1)
    await put(
        amount=TABLE,
        starts=date(2026, 3, 1),
        on_tier_change="difference_now",
        proration=Proration(),
    )
    await played(programs)
    clock(2026, 3, 16)
    await enrol(programs, "ann", tier="free")
    await played(programs)
    assert await balance(programs, "ann") == 1_000 * 16 // 31
    clock(2026, 3, 20)
    await enrol(programs, "ann", tier="pro")
    await played(programs)
    assert await balance(programs, "ann") == 20_000 * 16 // 31


async def test_a_rolling_cycle_gives_the_difference_of_the_occurrence_that_was_given(
    programs, put, clock
) -> None:
    clock(2026, 1, 1)
    await enrol(programs, "ann", tier="free", created_at=at(2025, 12, 20))
    await enrol(programs, "new", tier="free", created_at=at(2025, 12, 31))
    rolling = Rolling(days=30)
    await put(
        "refresh",
        schedule=rolling,
        amount=TABLE,
        starts=date(2026, 1, 1),
        on_tier_change="difference_now",
    )
    clock(2026, 1, 19)
    await played(programs)
    assert await balance(programs, "ann") == 1_000
    clock(2026, 1, 25)
    await enrol(programs, "ann", tier="pro")
    await enrol(programs, "new", tier="pro")
    await played(programs)
    assert await balance(programs, "ann") == 20_000
    assert await balance(programs, "new") == 0
    clock(2026, 2, 18)
    await played(programs)
    assert await balance(programs, "ann") == 40_000
    assert await balance(programs, "new") == 20_000


async def test_a_lower_tier_takes_nothing_back(programs, put, clock) -> None:
    clock(2026, 3, 1)
    await enrol(programs, "ann", tier="pro", created_at=at(2025, 1, 1))
    await put(
        schedule=Calendar(every="month"),
        amount=TABLE,
        starts=date(2026, 3, 1),
        on_tier_change="difference_now",
    )
    await played(programs)
    clock(2026, 3, 9)
    await enrol(programs, "ann", tier="free")
    await played(programs)
    assert await balance(programs, "ann") == 20_000
