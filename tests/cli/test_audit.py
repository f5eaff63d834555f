"""``bursar audit``: a table for people, JSON for programs, pages and filters for both."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.conftest import Run
from tests.cli.shop import Shop, monthly

WHY = ("--reason", "to look again", "--actor", "cli:ann")


@pytest.fixture
def audited(shop: Shop) -> Shop:
    """A run that was started, paused and canceled, each by somebody, for a reason."""
    shop.put(monthly())
    shop("run", "start", "monthly", "--no-work", "--reason", "november", "--actor", "cli:bob")
    assert shop("run", "pause", "1", *WHY).code == 0
    assert shop("run", "cancel", "1", *WHY).code == 0
    return shop


def found(shop: Shop, *options: str) -> list[str]:
    """The acts that a list has, the newest first."""
    return [act["act"] for act in shop("audit", "--json", *options).json["items"]]


def test_people_read_who_did_what_why_and_what_it_changed(audited: Shop) -> None:
    shown = audited("audit", "--subject", "run_1")
    assert shown.code == 0
    [head, canceled, paused, started] = shown.out.splitlines()
    assert head.split() == ["when", "(UTC)", "who", "act", "to", "changed", "reason"]
    for text in ("cli:ann", "run.cancel", "run_1", "state paused → canceled", "to look again"):
        assert text in canceled
    assert "state running → paused" in paused
    assert "cli:bob" in started
    assert "program monthly" in started


def test_programs_read_the_same_as_json(audited: Shop) -> None:
    page = audited("audit", "--json", "--limit", "1").json
    [act] = page["items"]
    assert (act["act"], act["actor"], act["reason"]) == ("run.cancel", "cli:ann", "to look again")
    assert (act["before"], act["after"]) == ({"state": "paused"}, {"state": "canceled"})
    older = audited("audit", "--json", "--limit", "1", "--cursor", page["cursor"]).json
    assert [one["act"] for one in older["items"]] == ["run.pause"]
    assert f"--cursor {page['cursor']}" in audited("audit", "--limit", "1").out


def test_acts_are_found_by_who_what_whom_and_when(audited: Shop) -> None:
    assert found(audited, "--actor", "cli:bob") == ["run.start"]
    assert found(audited, "--act", "run.pause") == ["run.pause"]
    assert found(audited, "--act", "run.*") == ["run.cancel", "run.pause", "run.start"]
    assert found(audited, "--subject", "coins") == ["asset.add"]
    tomorrow = (datetime.now(UTC) + timedelta(1)).isoformat()
    assert found(audited, "--since", tomorrow) == []
    assert len(found(audited, "--until", tomorrow)) == 4
    assert audited("audit", "--since", tomorrow).out == "no acts\n"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--since", "soon"), "option_invalid"),
        (("--until", "2026-13-01"), "option_invalid"),
        (("--limit", "0"), "page_limit"),
        (("--limit", "1001"), "page_limit"),
        (("--cursor", "x"), "cursor"),
        (("--act", "run.\n"), "act_filter"),
    ],
)
def test_what_cannot_be_meant_is_refused(shop: Shop, options: tuple[str, str], code: str) -> None:
    refused = shop("audit", *options, "--json")
    assert (refused.code, refused.error["code"]) == (2, code)


@pytest.mark.parametrize(
    "command",
    [
        ("run", "approve", "1", "--total", "1"),
        ("run", "pause", "1"),
        ("run", "resume", "1"),
        ("run", "cancel", "1"),
        ("run", "retry", "1"),
        ("economy", "approve", "1"),
        ("economy", "refuse", "1"),
    ],
)
def test_whoever_steers_says_why(audited: Shop, command: tuple[str, ...]) -> None:
    before = found(audited)
    refused = audited(*command)
    assert (refused.code, "--reason" in refused.err) == (2, True)
    assert found(audited) == before


def test_what_needs_no_reason_is_kept_as_done_by_hand(bursar: Run) -> None:
    assert bursar("asset", "add", "gems").code == 0
    assert bursar("asset", "add", "gold", "--reason", "a sale", "--actor", "api:eve").code == 0
    [gold, gems] = bursar("audit", "--json", "--limit", "2").json["items"]
    assert (gold["subject"], gold["reason"], gold["actor"]) == ("gold", "a sale", "api:eve")
    assert (gems["subject"], gems["reason"]) == ("gems", "by hand")
    assert gems["actor"].startswith("cli:")
