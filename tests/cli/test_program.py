"""``bursar program``, ``claim``, ``next``, ``history`` and ``tick`` (P3, P12, P13, P20)."""

import pytest

from bursar.programs.model import Amount, Claim, Limits, Rolling, Streak
from tests.cli.shop import THIS_MONTH, Shop, monthly

GO = ("--reason", "november")


@pytest.fixture
def daily(shop: Shop) -> Shop:
    """A daily claim of 10.00 coins."""
    shop.put(monthly("daily", 1_000, schedule=Claim(streak=Streak()), starts=None))
    return shop


# --- programs -------------------------------------------------------------------------------


def test_programs_are_listed_in_words(daily: Shop) -> None:
    amount = Amount(by_tier={"pro": 20_000}, otherwise=1_000)
    daily.put(monthly(amount=amount), monthly("cycle", schedule=Rolling(days=30), starts=None))
    told = daily("program", "list").out
    for words in (
        "pro 200.00, others 10.00 coins",
        "on day 1 of a month at 00:00 UTC",
        "every 30 days from created",
        "a claim a day, UTC",
    ):
        assert words in told
    items = daily("program", "list", "--json").json["items"]
    assert [one["program"]["name"] for one in items] == ["cycle", "daily", "monthly"]


def test_no_programs_is_said(shop: Shop) -> None:
    assert shop("program", "list").out == "no programs\n"


def test_a_program_is_shown_with_its_rules_and_limits(shop: Shop) -> None:
    who = {"not_active": 'holder.status == "active"'}
    shop.put(monthly(who=who, limits=Limits(award=7_000, approve_above=123_450)))
    told = shop("program", "show", "monthly").out
    for words in ("version 1 by author", "not_active", "70.00 coins", "1 234.50 coins", "latest"):
        assert words in told
    shown = shop("program", "show", "monthly", "--json").json
    assert (shown["version"], shown["program"]["amount"]["fixed"]) == (1, 5_000)


def test_versions_tell_what_changed(shop: Shop) -> None:
    shop.put(monthly())
    shop.put(monthly(fixed=6_000), actor="ann")
    told = shop("program", "versions", "monthly").out.splitlines()
    assert len(told) == 3
    assert "ann" in told[1]
    assert "amount" in told[1]
    assert "added" in told[2]
    items = shop("program", "versions", "monthly", "--json").json["items"]
    assert [one["version"] for one in items] == [2, 1]


def test_a_program_is_switched_off_and_on(daily: Shop) -> None:
    assert daily("program", "off", "daily", "--reason", "leak").out.startswith(
        "daily is off, by the switch"
    )
    assert daily("claim", "daily", "ada", "--json").error["code"] == "program_off"
    assert daily("program", "on", "daily", "--reason", "mended").out == "daily is on\n"
    assert daily("claim", "daily", "ada").code == 0


def test_a_forecast_tells_what_the_next_period_would_cost(shop: Shop) -> None:
    shop.enrol("eve", status="paused")
    shop.put(monthly(who={"not_active": 'holder.status == "active"'}))
    told = shop("program", "forecast", "monthly").out
    assert "150.00 coins to 3 holders" in told
    assert "1 not_active" in told
    assert shop("program", "forecast", "monthly", "--json").json["estimate"]["amount"] == 15_000


def test_a_holder_may_have_an_amount_of_their_own_and_lose_it_again(shop: Shop) -> None:
    shop.put(monthly())
    own = ("program", "set", "monthly", "ada", *GO)
    assert "80.00 coins" in shop(*own, "--amount", "80").out
    assert shop(*own, "--pause", "--json").json == {
        "program": "monthly",
        "holder": "ada",
        "amount": 8_000,
        "refresh_day": None,
        "paused": True,
    }
    assert "paused" in shop("program", "own", "monthly", "ada").out
    assert shop(*own, "--unpause").out == "ada in monthly: 80.00 coins\n"
    shop("run", "start", "monthly", *GO)
    assert (shop.balance("ada"), shop.balance("bob")) == (8_000, 5_000)
    assert shop(*own, "--no-amount").out == "ada in monthly: as all others\n"


def test_a_rolling_program_may_have_a_day_of_the_holders_own(shop: Shop) -> None:
    shop.put(monthly("cycle", schedule=Rolling(days=30), starts=None))
    own = ("program", "set", "cycle", "ada", *GO)
    assert "on day 15 of a month" in shop(*own, "--refresh-day", 15).out
    assert "as all others" in shop(*own, "--no-refresh-day").out


@pytest.mark.parametrize(
    ("given", "code", "name"),
    [
        (("program", "show", "nope"), 3, "program_unknown"),
        (("program", "versions", "nope"), 3, "program_unknown"),
        (("program", "off", "nope", "--reason", "x"), 3, "program_unknown"),
        (("program", "on", "nope", "--reason", "x"), 3, "program_unknown"),
        (("program", "forecast", "nope"), 3, "program_unknown"),
        (("program", "own", "nope", "ada"), 3, "program_unknown"),
        (("program", "own", "daily", "nobody"), 3, "holder_unknown"),
        (("program", "set", "nope", "ada", "--pause", *GO), 3, "program_unknown"),
        (("program", "set", "daily", "nobody", "--pause", *GO), 3, "holder_unknown"),
        (("program", "set", "daily", "ada", *GO), 2, "option_invalid"),
        (("program", "set", "daily", "ada", "--pause"), 2, "usage"),
        (("program", "set", "daily", "ada", "--refresh-day", "32", *GO), 2, "usage"),
        (("program", "set", "daily", "ada", "--refresh-day", "3", *GO), 2, "override_invalid"),
        (("program", "set", "daily", "ada", "--amount", "x", *GO), 2, "amount_invalid"),
        (
            ("program", "set", "daily", "ada", "--amount", "1", "--no-amount", *GO),
            2,
            "option_invalid",
        ),
        (("claim", "nope", "ada"), 3, "program_unknown"),
        (("claim", "daily", "nobody"), 3, "holder_unknown"),
        (("claim", "monthly", "ada"), 4, "claim_not_offered"),
        (("next", "nobody"), 3, "holder_unknown"),
        (("history", "nobody"), 3, "holder_unknown"),
        (("history", "ada", "--program", "nope"), 3, "program_unknown"),
        (("history", "ada", "--limit", "0"), 2, "page_limit"),
        (("alerts", "--limit", "0"), 2, "page_limit"),
        (("alerts", "resolve", "77"), 3, "alert_unknown"),
    ],
)
def test_what_is_not_there_is_refused(
    daily: Shop, given: tuple[str, ...], code: int, name: str
) -> None:
    daily.put(monthly())
    told = daily(*given, "--json")
    assert (told.code, told.error["code"], told.out) == (code, name, "")


# --- one holder -----------------------------------------------------------------------------


def test_a_claim_brings_its_amount_once(daily: Shop) -> None:
    first = daily("claim", "daily", "ada")
    assert (first.code, first.out.startswith("10.00 coins for ")) == (0, True)
    assert "streak      1" in first.out
    again = daily("claim", "daily", "ada", "--json").json
    assert (again["awarded"], again["already"]) == (0, True)
    assert "nothing was given" in daily("claim", "daily", "ada").out
    assert daily.balance("ada") == 1_000


def test_a_claim_that_is_not_for_the_holder_says_why(daily: Shop) -> None:
    pro = monthly("gold", schedule=Claim(), starts=None, who={"not_pro": 'holder.tier == "pro"'})
    daily.put(pro)
    told = daily("claim", "gold", "ada", "--json")
    assert (told.code, told.error["code"]) == (4, "not_eligible")
    assert "not_pro" in told.err


def test_next_tells_when_how_much_and_why(daily: Shop) -> None:
    daily.put(monthly())
    told = daily("next", "ada").out
    assert "10.00 coins" in told
    assert "claim of day 1" in told
    assert f"period {THIS_MONTH}, for everybody at once" in told
    daily("program", "off", "daily", "--reason", "leak")
    assert "nothing, because of program_off" in daily("next", "ada").out
    items = daily("next", "ada", "--json").json["items"]
    assert [(one["program"], one["amount"]) for one in items] == [("daily", 0), ("monthly", 5_000)]


def test_history_tells_what_came_before_and_after(daily: Shop) -> None:
    assert daily("history", "ada").out == "nothing yet\n"
    daily.put(monthly())
    daily("claim", "daily", "ada")
    daily("run", "start", "monthly", *GO)
    items = daily("history", "ada", "--json").json["items"]
    assert [(one["kind"], one["before"], one["after"]) for one in items] == [
        ("scheduled", 1_000, 6_000),
        ("claim", 0, 1_000),
    ]
    assert "+50.00 coins" in daily("history", "ada").out
    only = daily("history", "ada", "--program", "daily", "--json").json["items"]
    assert [one["program"] for one in only] == ["daily"]
    assert len(daily("history", "ada", "--limit", 1, "--json").json["items"]) == 1


# --- tick -----------------------------------------------------------------------------------


def test_a_tick_does_what_is_due_once(shop: Shop) -> None:
    shop.put(monthly(), monthly("other"))
    told = shop("tick")
    assert (told.code, len(told.out.splitlines())) == (0, 2)
    assert f"run_1: monthly {THIS_MONTH}, finished; awarded 150.00 coins, 3 holders" in told.out
    assert shop("tick").out == "nothing is due\n"
    assert shop.balance("ada") == 10_000


def test_a_tick_welcomes_those_who_have_joined_since(shop: Shop) -> None:
    shop.put(monthly())
    shop("tick")
    shop.enrol("dot")
    assert shop("tick", "--json").json["items"][0]["kind"] == "joiners"
    assert shop.balance("dot") == 5_000


def test_a_tick_tells_which_run_waits_and_goes_on_with_the_others(shop: Shop) -> None:
    shop.put(monthly(limits=Limits(approve_above=1)), monthly("other"))
    told = shop("tick")
    assert told.code == 0
    assert "bursar run approve run_1 --total 150.00" in told.out
    assert shop.balance("ada") == 5_000


def test_a_tick_that_halts_a_run_ends_with_one(shop: Shop) -> None:
    shop.put(monthly(limits=Limits(run=1)))
    told = shop("tick")
    assert (told.code, "run_ceiling" in told.out) == (1, True)


def test_a_tick_may_leave_the_work_to_the_workers(shop: Shop) -> None:
    shop.put(monthly())
    assert "running" in shop("tick", "--no-work").out
    assert shop.balance("ada") == 0
    shop("tick")
    assert shop.balance("ada") == 5_000
