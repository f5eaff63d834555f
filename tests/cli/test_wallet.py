"""``bursar wallet``, ``asset``, ``journal`` and ``sweep``: what is shown and what is changed."""

import pytest

from tests.cli.conftest import Run, credit, jsonl


@pytest.fixture
def maria(bursar: Run) -> Run:
    """Maria with 1 234.50 coins: 1 000.00 in a lot, 34.50 of the rest held."""
    lines = jsonl(
        credit("maria", "w1", 100_000, lot={"expires_at": "2126-01-01T00:00:00Z", "origin": "hi"}),
        credit("maria", "p1", 23_450, kind="purchase", source="credit_purchase"),
        '{"op":"hold","holder":"maria","asset":"coins","reference":"h1","amount":3450}',
    )
    assert bursar("post", "--reason", "first day", "--actor", "ann", stdin=lines).code == 0
    return bursar


def test_show_spells_amounts_in_the_assets_units(maria: Run) -> None:
    shown = maria("wallet", "show", "maria", "coins").out
    assert "1 234.50 coins" in shown
    assert "1 200.00 coins" in shown
    assert "h1" in shown
    assert "2126-01-01 00:00:00" in shown


def test_show_answers_programs_in_minor_units(maria: Run) -> None:
    wallet = maria("wallet", "show", "maria", "coins", "--json").json
    assert (wallet["balance"], wallet["held"], wallet["available"]) == (123_450, 3_450, 120_000)
    assert [lot["origin"] for lot in wallet["lots"]] == ["hi"]


def test_what_is_piped_is_one_line_an_entry_without_blanks_at_its_end(maria: Run) -> None:
    maria("post", "--reason", "r", stdin=credit("maria", "r" * 150, 1, source="s" * 150))
    shown = maria("wallet", "statement", "maria", "coins").out.splitlines()
    assert len(shown) == 5
    assert "r" * 150 in shown[1]
    assert all(line == line.rstrip() for line in shown)


def test_statement_is_filtered_and_paged(maria: Run) -> None:
    only = maria("wallet", "statement", "maria", "coins", "--kind", "purchase", "--json").json
    assert [entry["reference"] for entry in only["items"]] == ["p1"]
    by_source = ("--source", "credit_purchase", "--since", "2020-01-01", "--until", "2126-01-01")
    assert maria("wallet", "statement", "maria", "coins", *by_source, "--json").json == only
    first = maria("wallet", "statement", "maria", "coins", "--limit", "2", "--json").json
    rest = maria("wallet", "statement", "maria", "coins", "--cursor", first["cursor"], "--json")
    seqs = [entry["seq"] for page in (first, rest.json) for entry in page["items"]]
    assert seqs == [3, 2, 1]
    assert "--cursor" in maria("wallet", "statement", "maria", "coins", "--limit", "2").out


def test_an_entry_has_names_metadata_as_json_and_its_checksum_in_hex(maria: Run) -> None:
    maria("post", "--reason", "r", stdin=credit("maria", "m", 1, metadata={"rule": "x"}))
    entry = maria("wallet", "statement", "maria", "coins", "--limit", "1", "--json").json["items"][
        0
    ]
    assert (entry["holder"], entry["asset"], entry["metadata"]) == ("maria", "coins", {"rule": "x"})
    assert len(bytes.fromhex(entry["checksum"])) == 32


def test_explain_adds_up_and_names_the_reason(maria: Run) -> None:
    told = maria("wallet", "explain", "maria", "coins").out
    assert "+1 000.00" in told
    assert "by ann: first day" in told
    answer = maria("wallet", "explain", "maria", "coins", "--json").json
    assert sum(total["amount"] for total in answer["totals"]) == answer["wallet"]["balance"]
    assert answer["lots"][0]["opened_by"]["reference"] == "w1"


def test_balance_at_an_instant(maria: Run) -> None:
    assert maria("wallet", "balance-at", "maria", "coins", "2020-01-01").out == "0.00 coins\n"
    later = maria("wallet", "balance-at", "maria", "coins", "2126-01-01T00:00:00+02:00", "--json")
    assert later.json["balance"] == 123_450
    assert later.json["at"] == "2125-12-31T22:00:00Z"


def test_freeze_and_unfreeze(maria: Run) -> None:
    assert maria("wallet", "freeze", "maria", "coins", "--reason", "fraud").code == 0
    debit = '{"op":"debit","holder":"maria","asset":"coins","reference":"d","amount":1}'
    assert maria("post", "--reason", "r", stdin=debit).lines[0]["status"] == "wallet_frozen"
    assert maria("wallet", "reopen", "maria", "coins", "--reason", "no").code == 4
    thawed = maria("wallet", "unfreeze", "maria", "coins", "--reason", "fine", "--json").json
    assert (thawed["status"], thawed["wallet"]["state"]) == ("applied", "active")


def test_a_reference_makes_the_second_time_a_replay(maria: Run) -> None:
    given = ("wallet", "freeze", "maria", "coins", "--reason", "r", "--reference", "case-7")
    assert maria(*given, "--json").json["status"] == "applied"
    assert maria(*given, "--json").json["status"] == "replayed"
    assert "done before" in maria(*given).out


def test_a_reference_of_something_else_is_a_conflict(maria: Run) -> None:
    done = maria(
        "wallet", "freeze", "maria", "coins", "--reason", "r", "--reference", "w1", "--json"
    )
    assert (done.code, done.error["code"]) == (5, "reference_conflict")


def test_only_an_empty_wallet_is_closed_and_a_closed_one_reopens(maria: Run) -> None:
    assert maria("wallet", "close", "maria", "coins", "--reason", "r").code == 4
    lines = jsonl(
        credit("joe", "1", 5),
        '{"op":"debit","holder":"joe","asset":"coins","reference":"2","amount":5}',
    )
    maria("post", "--reason", "r", stdin=lines)
    assert maria("wallet", "close", "joe", "coins", "--reason", "r").code == 0
    refused = maria("wallet", "unfreeze", "joe", "coins", "--reason", "r", "--json")
    assert (refused.code, refused.error["code"]) == (4, "wallet_state")
    assert maria("wallet", "reopen", "joe", "coins", "--reason", "r").code == 0


@pytest.mark.parametrize(
    ("spelled", "minor"), [("12.50", 1250), ("12", 1200), ("0", 0), ("1 000.5", 100_050)]
)
def test_a_limit_is_given_as_amounts_are_shown(maria: Run, spelled: str, minor: int) -> None:
    done = maria("wallet", "limit", "maria", "coins", spelled, "--reason", "r", "--json")
    assert done.json["wallet"]["credit_limit"] == minor


@pytest.mark.parametrize("spelled", ["12.505", "a", "", ".5", "1e3", "1.2.3", "٣"])
def test_what_is_no_amount_is_refused(maria: Run, spelled: str) -> None:
    done = maria("wallet", "limit", "maria", "coins", spelled, "--reason", "r", "--json")
    assert (done.code, done.error["code"]) == (2, "amount_invalid")


def test_a_misspelt_holder_gets_no_wallet(bursar: Run) -> None:
    for command in (("freeze",), ("limit",)):
        amount = ("5",) if command == ("limit",) else ()
        done = bursar("wallet", *command, "mariA", "coins", *amount, "--reason", "r", "--json")
        assert (done.code, done.error["code"]) == (3, "holder_unknown")
    assert bursar("journal", "--json").json["items"] == []


def test_the_actor_is_the_account_unless_named(maria: Run) -> None:
    maria("wallet", "freeze", "maria", "coins", "--reason", "r", "--actor", "desk:7")
    maria("post", "--reason", "r", stdin=credit("maria", "lot", 1, lot={"priority": -1}))
    lots = maria("wallet", "explain", "maria", "coins", "--json").json["lots"]
    assert [lot["posting"]["actor"] for lot in lots] == ["ann", lots[1]["posting"]["actor"]]
    assert lots[1]["posting"]["actor"].startswith("cli:")


def test_the_journal_names_holders_and_filters_by_kind(maria: Run) -> None:
    maria("post", "--reason", "r", stdin=credit("joe", "g", 200))
    items = maria("journal", "--kind", "grant", "--json").json["items"]
    assert [(entry["holder"], entry["amount"]) for entry in items] == [
        ("joe", 200),
        ("maria", 100_000),
    ]
    assert "1 000.00 coins" in maria("journal").out


def test_sweep_says_how_many_wallets_were_due(maria: Run) -> None:
    assert maria("sweep", "--json").json == {"wallets": 0}
    assert maria("sweep").out == "nothing was due\n"


def test_assets_are_added_once_and_listed(bursar: Run) -> None:
    assert bursar("asset", "list", "--json").json["items"][0]["code"] == "coins"
    assert bursar("asset", "add", "coins", "--scale", "2", "--json").json["scale"] == 2
    assert bursar("asset", "add", "coins").code == 5
    assert bursar("asset", "add", "Coins").code == 2
    assert "coins" in bursar("asset", "list").out
