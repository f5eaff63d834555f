"""``bursar grant``: by hand to some or to all, once, and what is refused (P14)."""

from pathlib import Path

import pytest

from bursar.programs.model import Amount
from tests.cli.shop import Shop, monthly

BY = ("--reason", "sorry for the outage")
TEN = ("grant", "--asset", "coins", "--amount", "10", *BY)


def test_a_grant_is_given_at_once_and_reported(shop: Shop) -> None:
    told = shop(*TEN, "--holder", "ada", "--holder", "bob", "--holder", "ada")
    assert told.code == 0
    assert "20.00 coins, 2 holders" in told.out
    assert [shop.balance(name) for name in ("ada", "bob", "cyd")] == [1_000, 1_000, 0]


def test_a_grant_to_all_reaches_everybody(shop: Shop) -> None:
    assert shop(*TEN, "--all", "--json").json["progress"]["awarded"] == 3
    assert shop.balance("cyd") == 1_000


def test_a_grant_with_a_reference_is_given_once(shop: Shop) -> None:
    given = (*TEN, "--holder", "ada", "--reference", "outage-7")
    assert shop(*given, "--json").json["run"] == "run_1"
    again = shop(*given)
    assert (again.code, "done before" in again.err) == (0, True)
    assert shop.balance("ada") == 1_000
    more = ("grant", "--asset", "coins", "--amount", "11", *BY, "--holder", "ada")
    other = shop(*more, "--reference", "outage-7", "--json")
    assert (other.code, other.error["code"]) == (5, "grant_reference")


def test_a_grant_of_a_program_follows_its_rules(shop: Shop) -> None:
    shop.enrol("dot", tier="pro")
    only_pro = {"not_pro": 'holder.tier == "pro"'}
    shop.put(monthly(who=only_pro, amount=Amount(fixed=700)))
    answer = shop("grant", "--program", "monthly", "--all", *BY, "--json").json
    assert (answer["progress"]["awarded"], answer["progress"]["excluded"]) == (1, {"not_pro": 3})
    assert shop.balance("dot") == 700
    shop("grant", "--program", "monthly", "--amount", "1.50", "--holder", "dot", *BY)
    assert shop.balance("dot") == 850


def test_a_dry_grant_gives_nothing(shop: Shop) -> None:
    told = shop(*TEN, "--all", "--dry-run")
    assert "nothing was given" in told.out
    assert "30.00 coins, 3 holders" in told.out
    assert shop.balance("ada") == 0


def test_a_grant_can_go_to_those_of_a_run_and_be_taken_back(shop: Shop) -> None:
    shop(*TEN, "--holder", "ada", "--holder", "cyd")
    assert shop(*TEN, "--run", "run_1", "--json").json["progress"]["awarded"] == 2
    assert (shop.balance("ada"), shop.balance("bob")) == (2_000, 0)
    assert shop("run", "revert", "2", "--policy", "clip", "--reason", "r", "--yes").code == 0
    assert shop.balance("ada") == 1_000


def test_a_file_of_holders_is_read_with_whatever_ends_its_lines(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "holders"
    file.write_bytes(b"\xef\xbb\xbfada\r\n\n bob \nada")
    assert shop(*TEN, "--holders-file", file, "--json").json["progress"]["awarded"] == 2
    assert shop(*TEN, "--holders-file", "-", stdin="cyd\n").code == 0
    assert [shop.balance(name) for name in ("ada", "bob", "cyd")] == [1_000] * 3


@pytest.mark.parametrize(
    ("content", "code", "name"),
    [
        (b"ada\nnobody\n", 3, "holder_unknown"),
        (b"ada\n\xff\n", 2, "file_invalid"),
        (b"ada\n" + b"x" * 201 + b"\n", 2, "file_invalid"),
        (b"ada\n" + b"x" * 5_000_000, 2, "file_invalid"),
        (b"ada\nb\x00b\n", 2, "file_invalid"),
        (b"\n \n", 2, "file_empty"),
        (b"", 2, "file_empty"),
    ],
)
def test_a_file_with_a_bad_line_gives_to_nobody(
    shop: Shop, tmp_path: Path, content: bytes, code: int, name: str
) -> None:
    file = tmp_path / "holders"
    file.write_bytes(content)
    told = shop(*TEN, "--holders-file", file, "--json")
    assert (told.code, told.error["code"]) == (code, name)
    assert shop.balance("ada") == 0
    assert shop("run", "list", "--json").json["items"] == []


def test_who_of_a_file_is_not_there_is_named(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "holders"
    file.write_text("ada\nnobody\nbob\nnemo\n")
    told = shop(*TEN, "--holders-file", file)
    assert told.code == 3
    assert told.err.splitlines()[:2] == [
        "not in the directory: nobody",
        "not in the directory: nemo",
    ]


@pytest.mark.parametrize(
    ("given", "code", "name"),
    [
        (TEN, 2, "option_invalid"),
        ((*TEN, "--all", "--holder", "ada"), 2, "option_invalid"),
        ((*TEN, "--all", "--run", "1"), 2, "option_invalid"),
        ((*TEN, "--run", "run_77"), 3, "run_unknown"),
        ((*TEN, "--run", "last"), 2, "option_invalid"),
        ((*TEN, "--holders-file", "no-such-file"), 2, "file_unusable"),
        ((*TEN, "--holder", "nobody"), 3, "holder_unknown"),
        (("grant", "--all", *BY), 2, "grant_of"),
        (("grant", "--all", "--amount", "1", *BY), 2, "grant_of"),
        (("grant", "--all", "--asset", "coins", *BY), 2, "grant_amount"),
        (("grant", "--all", "--asset", "coins", "--amount", "0", *BY), 2, "grant_amount"),
        (("grant", "--all", "--asset", "coins", "--amount", "-1", *BY), 2, "amount_invalid"),
        (("grant", "--all", "--asset", "coins", "--amount", "1.555", *BY), 2, "amount_invalid"),
        (("grant", "--all", "--asset", "coins", "--amount", "9" * 30, *BY), 2, "grant_amount"),
        (("grant", "--all", "--asset", "gems", "--amount", "1", *BY), 3, "asset_unknown"),
        (("grant", "--all", "--program", "nope", *BY), 3, "program_unknown"),
        (("grant", "--all", "--program", "nope", "--amount", "1", *BY), 3, "program_unknown"),
        (("grant", "--all", "--program", "p", "--asset", "coins", *BY), 2, "grant_of"),
        (("grant", "--all", "--asset", "coins", "--amount", "1"), 2, "usage"),
    ],
)
def test_a_grant_that_is_not_clear_is_refused(
    shop: Shop, given: tuple[str, ...], code: int, name: str
) -> None:
    told = shop(*given, "--json")
    assert (told.code, told.error["code"], told.out) == (code, name, "")
    assert shop("run", "list", "--json").json["items"] == []
