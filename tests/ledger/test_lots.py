"""Lots by worked examples: day | command | entries | what the wallet has after (L6–L8).

How a row is to be read stands in `storybook`.
"""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from bursar.ledger import commands as c
from bursar.ledger.model import LotTerms, WalletState
from tests.ledger.in_memory import InMemory
from tests.ledger.storybook import DAY_0, played, squeezed


def holds_good(table: str) -> None:
    """Play the commands of a table; entries and wallets must be those it tells."""
    assert squeezed(played(table)) == squeezed(table), "\n" + played(table)


def test_a_lower_priority_number_pays_first() -> None:
    holds_good("""
        0 | grant late 10 priority 1   | grant +10: late +10                       | late 10
        0 | grant early 10 priority -1 | grant +10: early +10                      | late 10, early 10
        0 | grant middle 10            | grant +10: middle +10                     | late 10, early 10, middle 10
        1 | spend s 25                 | spend -25: early -10, middle -10, late -5 | late 5
    """)  # noqa: E501


def test_within_a_priority_the_soonest_expiry_pays_first_and_never_last() -> None:
    holds_good("""
        0 | grant never 10          | grant +10: never +10                   | never 10
        0 | grant far 10 expires 9  | grant +10: far +10                     | never 10, far 10
        0 | grant soon 10 expires 5 | grant +10: soon +10                    | never 10, far 10, soon 10
        1 | spend s 25              | spend -25: soon -10, far -10, never -5 | never 5
    """)  # noqa: E501


def test_of_equal_lots_the_oldest_pays_first() -> None:
    holds_good("""
        0 | grant a 10 expires 9 | grant +10: a +10       | a 10
        0 | grant b 10 expires 9 | grant +10: b +10       | a 10, b 10
        1 | spend s 15           | spend -15: a -10, b -5 | b 5
    """)


def test_plain_credit_pays_after_the_lots_of_priority_0_and_before_higher_ones() -> None:
    holds_good("""
        0 | grant plus 10 priority 1 | grant +10: plus +10 | plus 10
        0 | grant p 10 plain         | grant +10           | plus 10, plain 10
        0 | grant lot 10             | grant +10: lot +10  | plus 10, lot 10, plain 10
        1 | spend s 15               | spend -15: lot -10  | plus 10, plain 5
        1 | spend t 12               | spend -12: plus -7  | plus 3
    """)


def test_a_part_of_a_lot_stays_for_the_next_spend() -> None:
    holds_good("""
        0 | grant a 10 | grant +10: a +10   | a 10
        1 | spend s 3  | spend -3: a -3     | a 7
        1 | spend t 3  | spend -3: a -3     | a 4
        1 | spend u 5  | insufficient_funds | a 4
        1 | spend v 4  | spend -4: a -4     | nothing
    """)


def test_a_hold_draws_its_lots_and_a_release_gives_them_back() -> None:
    holds_good("""
        0 | grant a 10 expires 9 | grant +10: a +10                 | a 10
        0 | grant b 10           | grant +10: b +10                 | a 10, b 10
        0 | grant p 5 plain      | grant +5                         | a 10, b 10, plain 5
        1 | hold h 22 until 5    | hold 0 held +22: a -10, b -10    | a 0 (10), b 0 (10), plain 3, held 22
        2 | spend s 4            | insufficient_funds               | a 0 (10), b 0 (10), plain 3, held 22
        3 | release r h          | release 0 held -22: a +10, b +10 | a 10, b 10, plain 5
    """)  # noqa: E501


def test_a_hold_lapses_by_itself_at_its_deadline() -> None:
    holds_good("""
        0 | grant a 10       | grant +10: a +10           | a 10
        1 | hold h 8 until 5 | hold 0 held +8: a -8       | a 2 (8), held 8
        4 | spend s 3        | insufficient_funds         | a 2 (8), held 8
        6 | spend t 3        | lapse 0 held -8: a +8 at 5 | a 7
          |                  | spend -3: a -3             |
    """)


def test_what_a_release_gives_back_to_a_lot_past_its_date_expires_at_once() -> None:
    holds_good("""
        0 | grant a 10 expires 4 | grant +10: a +10        | a 10
        1 | hold h 8             | hold 0 held +8: a -8    | a 2 (8), held 8
        5 | wait                 | expire -2: a -2 at 4    | a 0 (8), held 8
        6 | release r h          | release 0 held -8: a +8 | nothing
          |                      | expire -8: a -8         |
    """)


def test_what_a_lapse_gives_back_to_a_lot_past_its_date_expires_with_the_lapse() -> None:
    holds_good("""
        0 | grant a 10 expires 4 | grant +10: a +10           | a 10
        1 | hold h 8 until 6     | hold 0 held +8: a -8       | a 2 (8), held 8
        9 | wait                 | expire -2: a -2 at 4       | nothing
          |                      | lapse 0 held -8: a +8 at 6 |
          |                      | expire -8: a -8 at 6       |
    """)


def test_a_lot_past_its_date_is_still_good_for_what_was_held_of_it() -> None:
    holds_good("""
        0 | grant a 10 expires 4 | grant +10: a +10            | a 10
        1 | hold h 8 until 9     | hold 0 held +8: a -8        | a 2 (8), held 8
        6 | capture c h          | expire -2: a -2 at 4        | nothing
          |                      | capture -8 held -8 from a 8 |
    """)


def test_capturing_a_part_releases_the_rest() -> None:
    holds_good("""
        0 | grant a 10 expires 9 | grant +10: a +10                          | a 10
        0 | grant b 10           | grant +10: b +10                          | a 10, b 10
        1 | hold h 15            | hold 0 held +15: a -10, b -5              | a 0 (10), b 5 (5), held 15
        2 | capture c h 12       | capture -12 held -15 from a 10, b 2: b +3 | b 8
    """)  # noqa: E501


def test_capturing_a_part_may_keep_the_rest() -> None:
    holds_good("""
        0 | grant a 10 expires 9 | grant +10: a +10                    | a 10
        0 | grant b 10           | grant +10: b +10                    | a 10, b 10
        1 | hold h 15            | hold 0 held +15: a -10, b -5        | a 0 (10), b 5 (5), held 15
        2 | capture c h 12 keep  | capture -12 held -12 from a 10, b 2 | b 5 (3), held 3
        3 | capture d h 1 keep   | capture -1 held -1 from b 1         | b 5 (2), held 2
        4 | release r h          | release 0 held -2: b +2             | b 7
    """)


def test_capturing_all_but_keeping_the_rest_ends_the_hold() -> None:
    holds_good("""
        0 | grant a 10         | grant +10: a +10            | a 10
        1 | hold h 6           | hold 0 held +6: a -6        | a 4 (6), held 6
        2 | capture c h 6 keep | capture -6 held -6 from a 6 | a 4
        3 | capture d h        | hold_ended                  | a 4
    """)


def test_a_lot_expires_to_breakage_on_its_date() -> None:
    holds_good("""
        0 | grant a 10 expires 4 | grant +10: a +10       | a 10
        0 | grant b 10 expires 6 | grant +10: b +10       | a 10, b 10
        1 | spend s 3            | spend -3: a -3         | a 7, b 10
        9 | wait                 | expire -7: a -7 at 4   | nothing
          |                      | expire -10: b -10 at 6 |
    """)


def test_a_rollover_keeps_what_lasts_longest() -> None:
    holds_good("""
        0 | grant jan 10 expires 20 origin plan | grant +10: jan +10        | jan 10
        0 | grant feb 10 expires 40 origin plan | grant +10: feb +10        | jan 10, feb 10
        0 | grant gift 10 origin gift           | grant +10: gift +10       | jan 10, feb 10, gift 10
        5 | expire roll 12 plan                 | expire -8: jan -8         | jan 2, feb 10, gift 10
        5 | expire cap 15                       | expire -7: jan -2, feb -5 | feb 5, gift 10
        5 | expire again 15                     | expire 0                  | feb 5, gift 10
    """)  # noqa: E501


def test_a_rollover_leaves_held_and_plain_credit_alone() -> None:
    holds_good("""
        0 | grant a 10 origin plan | grant +10: a +10     | a 10
        0 | grant p 5 plain        | grant +5             | a 10, plain 5
        1 | hold h 4               | hold 0 held +4: a -4 | a 6 (4), plain 5, held 4
        2 | expire roll 0          | expire -6: a -6      | a 0 (4), plain 5, held 4
    """)


def test_a_reversal_takes_from_its_own_lot_first() -> None:
    holds_good("""
        0 | grant old 10 expires 5 | grant +10: old +10 | old 10
        0 | grant new 10           | grant +10: new +10 | old 10, new 10
        1 | reverse r new 8        | reverse -8: new -8 | old 10, new 2
    """)


def test_a_reversal_of_a_spent_lot_takes_from_the_others() -> None:
    holds_good("""
        0 | grant old 10 expires 5 | grant +10: old +10   | old 10
        1 | spend s 10             | spend -10: old -10   | nothing
        2 | grant new 10           | grant +10: new +10   | new 10
        3 | reverse r old          | reverse -10: new -10 | nothing
    """)


def test_refunds_come_back_to_the_lots_last_drawn_first() -> None:
    holds_good("""
        0 | grant a 10 expires 9 | grant +10: a +10         | a 10
        0 | grant b 10           | grant +10: b +10         | a 10, b 10
        0 | grant p 10 plain     | grant +10                | a 10, b 10, plain 10
        1 | spend s 25           | spend -25: a -10, b -10  | plain 5
        2 | reverse r1 s 7       | reverse +7: b +2         | b 2, plain 10
        3 | reverse r2 s 7       | reverse +7: b +7         | b 9, plain 10
        4 | reverse r3 s         | reverse +11: b +1, a +10 | a 10, b 10, plain 10
        5 | reverse r4 s         | reversal_exceeded        | a 10, b 10, plain 10
    """)


def test_a_refund_to_a_lot_past_its_date_expires_at_once() -> None:
    holds_good("""
        0 | grant a 10 expires 4 | grant +10: a +10 | a 10
        1 | spend s 10           | spend -10: a -10 | nothing
        6 | reverse r s 4        | reverse +4: a +4 | nothing
          |                      | expire -4: a -4  |
    """)


def test_a_captured_hold_is_refunded_to_its_lots() -> None:
    holds_good("""
        0 | grant a 10 expires 9 | grant +10: a +10                          | a 10
        0 | grant b 10           | grant +10: b +10                          | a 10, b 10
        1 | hold h 15            | hold 0 held +15: a -10, b -5              | a 0 (10), b 5 (5), held 15
        2 | capture c h 12       | capture -12 held -15 from a 10, b 2: b +3 | b 8
        3 | reverse r c 5        | reverse +5: b +2, a +3                    | a 3, b 10
    """)  # noqa: E501


def test_a_transfer_carries_the_terms_of_its_lots() -> None:
    holds_good("""
        0 | grant a 10 expires 4 priority -1 | grant +10: a +10               | a 10
        0 | grant b 10 expires 9             | grant +10: b +10               | a 10, b 10
        0 | grant p 10 plain                 | grant +10                      | a 10, b 10, plain 10
        1 | send gift 25 ben                 | transfer_out -25: a -10, b -10 | plain 5
          |                                  | transfer_in +10: gift.0 +10    | ben has gift.0 10, gift.1 10, plain 5
          |                                  | transfer_in +10: gift.1 +10    |
          |                                  | transfer_in +5                 |
        5 | ben: wait                        | expire -10: gift.0 -10 at 4    | ben has gift.1 10, plain 5
    """)  # noqa: E501


def test_the_reversal_of_a_transfer_gives_the_lots_back() -> None:
    holds_good("""
        0 | grant a 10 expires 4 | grant +10: a +10                 | a 10
        0 | grant b 10 expires 9 | grant +10: b +10                 | a 10, b 10
        1 | send gift 15 ben     | transfer_out -15: a -10, b -5    | b 5
          |                      | transfer_in +10: gift.0 +10      | ben has gift.0 10, gift.1 5
          |                      | transfer_in +5: gift.1 +5        |
        2 | reverse r gift 8     | reverse +8: b +5, a +3           | a 3, b 10
          |                      | reverse -8: gift.0 -8            | ben has gift.0 2, gift.1 5
        3 | reverse q gift       | reverse +7: a +7                 | a 10, b 10
          |                      | reverse -7: gift.0 -2, gift.1 -5 | ben has nothing
    """)


def test_the_reversal_of_a_transfer_takes_what_the_receiver_still_has() -> None:
    holds_good("""
        0 | grant a 10 expires 9 | grant +10: a +10            | a 10
        1 | send gift 10 ben     | transfer_out -10: a -10     | nothing
          |                      | transfer_in +10: gift.0 +10 | ben has gift.0 10
        2 | ben: spend s 7       | spend -7: gift.0 -7         | ben has gift.0 3
        3 | reverse r gift       | reverse +3: a +3            | a 3
          |                      | reverse -3: gift.0 -3       | ben has nothing
        4 | reverse q gift debt  | reverse +7: a +7            | a 10
          |                      | reverse -7                  | ben has plain -7
        5 | ben: grant g 20      | grant +20: g +13            | ben has g 13
    """)


def test_debt_is_paid_before_any_lot() -> None:
    holds_good("""
        0 | limit l 50 | limit 0          | nothing
        0 | grant a 10 | grant +10: a +10 | a 10
        1 | spend s 25 | spend -25: a -10 | plain -15
        2 | grant b 20 | grant +20: b +5  | b 5
        3 | spend t 8  | spend -8: b -5   | plain -3
        3 | grant c 2  | grant +2         | plain -1
    """)


def test_a_transfer_to_a_debtor_pays_the_debt_with_the_first_parcels() -> None:
    holds_good("""
        0 | grant a 10 expires 4 | grant +10: a +10              | a 10
        0 | grant b 10           | grant +10: b +10              | a 10, b 10
        0 | ben: limit l 50      | limit 0                       | ben has nothing
        0 | ben: spend s 12      | spend -12                     | ben has plain -12
        1 | send gift 18 ben     | transfer_out -18: a -10, b -8 | b 2
          |                      | transfer_in +10               | ben has gift.1 6
          |                      | transfer_in +8: gift.1 +6     |
    """)


def test_a_release_to_a_debtor_pays_the_debt_with_the_shares_drawn_last() -> None:
    holds_good("""
        0 | grant a 10 expires 9 | grant +10: a +10                | a 10
        0 | grant b 10           | grant +10: b +10                | a 10, b 10
        1 | hold h 20            | hold 0 held +20: a -10, b -10   | a 0 (10), b 0 (10), held 20
        2 | reverse r a debt     | reverse -10                     | a 0 (10), b 0 (10), plain -10, held 20
        3 | grant c 3            | grant +3                        | a 0 (10), b 0 (10), plain -7, held 20
        4 | release f h          | release 0 held -20: a +10, b +3 | a 10, b 3
    """)  # noqa: E501


def test_what_a_net_reversal_cannot_take_is_withheld_from_the_next_grants() -> None:
    holds_good("""
        0 | grant a 10      | grant +10: a +10  | a 10
        1 | spend s 8       | spend -8: a -8    | a 2
        2 | reverse r a net | reverse -2: a -2  | owed 8
        3 | purchase p 5    | purchase +5: p +5 | p 5, owed 8
        4 | grant b 5       | grant +5: b +5    | p 5, owed 3
          |                 | withhold -5: b -5 |
        5 | grant c 10      | grant +10: c +10  | p 5, c 7
          |                 | withhold -3: c -3 |
    """)


def test_clip_takes_what_is_there_and_leaves_the_rest_reversible() -> None:
    holds_good("""
        0 | grant a 10  | grant +10: a +10 | a 10
        1 | spend s 8   | spend -8: a -8   | a 2
        2 | reverse r a | reverse -2: a -2 | nothing
        3 | grant b 20  | grant +20: b +20 | b 20
        4 | reverse q a | reverse -8: b -8 | b 12
    """)


def test_credit_that_is_held_is_not_taken_by_a_reversal() -> None:
    holds_good("""
        0 | grant a 10       | grant +10: a +10            | a 10
        1 | hold h 7         | hold 0 held +7: a -7        | a 3 (7), held 7
        2 | reverse r a      | reverse -3: a -3            | a 0 (7), held 7
        3 | reverse q a debt | reverse -7                  | a 0 (7), plain -7, held 7
        4 | capture c h      | capture -7 held -7 from a 7 | plain -7
    """)


def test_a_lot_that_was_emptied_is_filled_again_and_pays_again() -> None:
    holds_good("""
        0 | grant a 10 expires 9 | grant +10: a +10         | a 10
        0 | grant b 10           | grant +10: b +10         | a 10, b 10
        1 | spend s 12           | spend -12: a -10, b -2   | b 8
        2 | reverse r s          | reverse +12: b +2, a +10 | a 10, b 10
        3 | spend t 12           | spend -12: a -10, b -2   | b 8
    """)


def test_an_extension_moves_the_dates_that_lie_before_it_and_makes_none_shorter() -> None:
    holds_good("""
        0 | grant a 10 expires 4           | grant +10: a +10         | a 10
        0 | grant b 10 expires 9           | grant +10: b +10         | a 10, b 10
        0 | grant c 10                     | grant +10: c +10         | a 10, b 10, c 10
        1 | extend e until 6               | extend 0 of a until 6    | a 10, b 10, c 10
        5 | spend s 1                      | spend -1: a -1           | a 9, b 10, c 10
        7 | wait                           | expire -9: a -9 at 6     | b 10, c 10
        8 | extend f until 8               | time_out_of_range        | b 10, c 10
        8 | extend f until 9               | nothing_to_extend        | b 10, c 10
    """)


def test_what_has_expired_is_not_brought_back_whether_it_is_in_the_books_or_not() -> None:
    holds_good("""
        0 | grant a 10 expires 4           | grant +10: a +10         | a 10
        4 | extend e until 6               | expire -10: a -10        | nothing
          |                                | nothing_to_extend        |
    """)


def test_a_held_share_of_a_lot_past_its_date_stays_past() -> None:
    holds_good("""
        0 | grant a 10 expires 4           | grant +10: a +10         | a 10
        1 | hold h 10                      | hold 0 held +10: a -10   | a 0 (10), held 10
        5 | extend e until 9               | nothing_to_extend        | a 0 (10), held 10
        6 | release r h                    | release 0 held -10: a +10 | nothing
          |                                | expire -10: a -10        |
    """)


def test_a_held_share_of_a_lot_gets_more_time_with_it() -> None:
    holds_good("""
        0 | grant a 10 expires 4           | grant +10: a +10         | a 10
        1 | hold h 10                      | hold 0 held +10: a -10   | a 0 (10), held 10
        2 | extend e until 9               | extend 0 of a until 9    | a 0 (10), held 10
        6 | release r h                    | release 0 held -10: a +10 | a 10
        9 | wait                           | expire -10: a -10        | nothing
    """)


def test_an_extension_may_be_of_one_origin() -> None:
    holds_good("""
        0 | grant a 10 expires 4 origin x  | grant +10: a +10         | a 10
        0 | grant b 10 expires 4 origin y  | grant +10: b +10         | a 10, b 10
        1 | extend e until 6 origin y      | extend 0 of b until 6    | a 10, b 10
        5 | wait                           | expire -10: a -10 at 4   | b 10
        5 | extend f until 7 origin z      | nothing_to_extend        | b 10
    """)


def test_the_deadline_of_a_hold_is_extended_and_no_lot() -> None:
    holds_good("""
        0 | grant a 10 expires 4           | grant +10: a +10         | a 10
        0 | grant p 10 plain               | grant +10                | a 10, plain 10
        1 | hold h 10 until 3              | hold 0 held +10: a -10   | a 0 (10), plain 10, held 10
        1 | hold g 2                       | hold 0 held +2           | a 0 (10), plain 8, held 12
        2 | extend e until 6 hold h        | extend 0 of h until 6    | a 0 (10), plain 8, held 12
        2 | extend f until 5 hold h        | nothing_to_extend        | a 0 (10), plain 8, held 12
        2 | extend f until 5 hold g        | nothing_to_extend        | a 0 (10), plain 8, held 12
        2 | extend f until 5 hold i        | hold_unknown             | a 0 (10), plain 8, held 12
        5 | capture c h 4 keep             | capture -4 held -4 from a 4 | a 0 (6), plain 8, held 8
        7 | extend x until 9 hold h        | lapse 0 held -6: a +6 at 6 | plain 8, held 2
          |                                | expire -6: a -6 at 6     |
          |                                | hold_ended               |
    """)


def test_the_new_date_goes_along_with_a_transfer_and_decides_who_pays_first() -> None:
    holds_good("""
        0 | grant a 10 expires 4           | grant +10: a +10         | a 10
        0 | grant b 10 expires 5           | grant +10: b +10         | a 10, b 10
        1 | extend e until 6               | extend 0 of a, b until 6 | a 10, b 10
        1 | grant d 10 expires 5           | grant +10: d +10         | a 10, b 10, d 10
        2 | send t 12 ben                  | transfer_out -12: d -10, a -2 | a 8, b 10
          |                                | transfer_in +10: t.0 +10 | ben has t.0 10, t.1 2
          |                                | transfer_in +2: t.1 +2   |
        5 | ben: wait                      | expire -10: t.0 -10      | ben has t.1 2
        6 | ben: wait                      | expire -2: t.1 -2        | ben has nothing
    """)


def test_a_closed_wallet_is_given_no_more_time_and_a_frozen_one_is() -> None:
    """An outage concerns a frozen wallet too; a closed one is empty."""
    ledger = InMemory({"ada": 1}, {"coins": 1})
    ada: dict[str, Any] = {"holder": "ada", "asset": "coins"}
    terms = LotTerms(DAY_0 + timedelta(days=4))
    extend = c.Extend(**ada, reference="e", until=DAY_0 + timedelta(days=9))
    batch: list[c.AnyCommand] = [
        c.Credit(**ada, reference="a", amount=10, lot=terms),
        c.SetState(**ada, reference="f", state=WalletState.FROZEN),
        extend,
        c.Expire(**ada, reference="x"),
        c.SetState(**ada, reference="z", state=WalletState.CLOSED),
        replace(extend, reference="e2"),
    ]
    told = [str(result.status) for result in ledger.post(batch, DAY_0)]
    assert told == [*["applied"] * 5, "wallet_closed"]
