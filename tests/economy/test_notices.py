"""What the economy file says of notices: read, told as changes, given to those who keep it (N5)."""

from datetime import time

import msgspec
import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bursar.economy.compare import compare
from bursar.economy.model import Change, Economy
from bursar.economy.parse import parse, parse_applied
from bursar.economy.service import EconomyService
from bursar.notices.kinds import OF_HOLDERS
from bursar.notices.model import Kind, NoticeSettings, QuietHours
from bursar.platform.database import Connection
from bursar.platform.errors import Invalid, Rejected
from tests.economy.conftest import Books
from tests.economy.files import problems, program, read

WHOLE = """\
[economy]
name = "club"
time_zone = "Europe/London"
[assets.coins]
[assets.gems]

[notices]
product = "Sports Club"
send = ["deposit", "corrected", "expiring_soon", "low_balance", "hold_lapsed"]
channels = ["email", "inbox"]
language = "de"
keep_days = 400
quiet = { from = "22:00", until = "07:30" }
operators = ["ops@club.example", "ann+bursar@club.example"]
[notices.names.coins]
en = "coins"
de = "Münzen"
fr = "pièces"
[notices.deposit]
channels = ["inbox"]
[notices.corrected]
channels = []
[notices.reminder]
days = 60
[notices.expiring_soon]
days = 1
channels = ["email"]
[notices.low_balance]
below = { coins = 100, gems = 1 }
"""


def test_the_table_reads_whole() -> None:
    assert read(WHOLE).notices == NoticeSettings(
        product="Sports Club",
        time_zone="Europe/London",
        send=(
            Kind.DEPOSIT,
            Kind.CORRECTED,
            Kind.EXPIRING_SOON,
            Kind.LOW_BALANCE,
            Kind.HOLD_LAPSED,
        ),
        channels=("inbox", "email"),
        by_kind={
            Kind.DEPOSIT: ("inbox",),
            Kind.CORRECTED: (),
            Kind.EXPIRING_SOON: ("email",),
        },
        below={"coins": 100, "gems": 1},
        reminder_days=60,
        expiring_days=1,
        quiet=QuietHours(time(22), time(7, 30)),
        language="de",
        keep_days=400,
        operators=("ops@club.example", "ann+bursar@club.example"),
        names={"coins": {"en": "coins", "de": "Münzen", "fr": "pièces"}},
    )


def test_without_the_table_all_is_as_usual_under_the_economys_name_and_zone() -> None:
    text = WHOLE.partition("[notices]")[0]
    assert read(text).notices == NoticeSettings(product="club", time_zone="Europe/London")
    assert read(text + "[notices]\n").notices == read(text).notices


@pytest.mark.parametrize("kind", OF_HOLDERS)
def test_every_kind_that_holders_get_may_have_channels_of_its_own(kind: Kind) -> None:
    text = WHOLE.partition("[notices]")[0]
    if kind is Kind.LOW_BALANCE:
        text += '[notices]\nsend = ["low_balance"]\nlow_balance.below.coins = 1\n'
        text += 'low_balance.channels = ["email"]\n'
    else:
        text += f'[notices.{kind.value}]\nchannels = ["email"]\n'
    assert read(text).notices.by_kind == {kind: ("email",)}


def test_all_kinds_of_a_program_that_can_go_together_do() -> None:
    text = program(
        schedule="{ days = 30 }",
        keep_reasons="['paused']",
        terms="{ expires_days = 90, notices ="
        " ['refresh_done', 'refresh_failed', 'reminder', 'corrected', 'expiring_soon'] }",
    )
    assert len(read(text).programs["p"].terms.notices) == 5


def test_operators_are_as_many_as_can_be_read() -> None:
    def text(count: int) -> str:
        named = ", ".join(f"'ops{n}@club.example'" for n in range(count))
        return f"[economy]\nname = 'a'\n[notices]\noperators = [{named}]\n"

    assert len(read(text(50)).notices.operators) == 50
    assert problems(text(51)) == ["4: notices.operators: may name 50 at most"]


# --- what changes ---------------------------------------------------------------------------


def _changes(before: str | None, after: str) -> list[Change]:
    found = compare(None if before is None else read(before), read(after), {})
    return [change for change in found if change.what == "notices"]


BARE = WHOLE.partition("[notices]")[0]


def test_a_file_that_says_nothing_of_notices_changes_nothing_of_them() -> None:
    assert _changes(None, BARE) == []
    assert _changes(BARE, BARE.replace('"club"', '"union"').replace("London", "Paris")) == []
    assert _changes(WHOLE, WHOLE.replace('["email", "inbox"]', '["inbox", "email"]')) == []
    assert _changes(WHOLE, WHOLE.replace('"deposit", "corrected"', '"corrected", "deposit"')) == []
    assert _changes(BARE, BARE + "[notices.deposit]\nchannels = ['inbox', 'email']\n") == []


def test_a_table_that_comes_and_goes_is_told_with_all_that_is_not_as_usual() -> None:
    [added] = _changes(BARE, WHOLE)
    assert (added.name, added.action, added.effect) == (
        "club",
        "added",
        "counts for notices from now on",
    )
    assert [(d.field, d.before, d.after) for d in added.differences] == [
        ("product", "", "Sports Club"),
        ("send", "", "deposit, corrected, expiring_soon, low_balance, hold_lapsed"),
        ("quiet", "", "22:00 to 07:30"),
        ("language", "en", "de"),
        ("keep_days", "365", "400"),
        ("operators", "", "ops@club.example, ann+bursar@club.example"),
        ("reminder.days", "3", "60"),
        ("expiring_soon.days", "7", "1"),
        ("corrected.channels", "inbox, email", "none"),
        ("deposit.channels", "inbox, email", "inbox"),
        ("expiring_soon.channels", "inbox, email", "email"),
        ("low_balance.below.coins", "", "100"),
        ("low_balance.below.gems", "", "1"),
        ("names.coins.en", "", "coins"),
        ("names.coins.de", "", "Münzen"),
        ("names.coins.fr", "", "pièces"),
    ]
    [gone] = _changes(WHOLE, BARE)
    assert (gone.action, gone.effect) == (
        "removed",
        "only what programs name is told, in the usual ways",
    )
    assert len(gone.differences) == 16


def test_one_key_that_changes_is_told_in_words() -> None:
    [changed] = _changes(WHOLE, WHOLE.replace("coins = 100", "coins = 50"))
    assert changed.action == "changed"
    [found] = changed.differences
    assert (found.field, found.before, found.after) == ("low_balance.below.coins", "100", "50")


# --- who keeps it ---------------------------------------------------------------------------


class Kept:
    """What is kept, as the real one does: in the caller's transaction."""

    def __init__(self) -> None:
        self.refuses = False

    async def put(self, connection: Connection, settings: NoticeSettings) -> None:
        if self.refuses:
            raise Rejected("refused_by_test", "no")
        await connection.execute("insert into test_notices values (%s)", (settings.product,))


@pytest.fixture
def kept(books: Books) -> Kept:
    """The economy's service, with somebody who keeps what it says of notices."""
    books.owner.execute("create table public.test_notices (product text)")
    books.owner.execute("grant all on public.test_notices to public")
    book = Kept()
    books.service = EconomyService(books.ledger, books.book, notices=book)
    return book


def _products(owner: psycopg.Connection) -> list[str]:
    return [product for (product,) in owner.execute("select product from test_notices")]


async def test_an_applied_file_gives_its_settings_to_who_keeps_them(
    books: Books, kept: Kept
) -> None:
    plan = await books.service.plan(WHOLE)
    assert [change.what for change in plan.changes] == ["economy", "asset", "asset", "notices"]
    assert _products(books.owner) == []
    assert await books.apply(WHOLE, expect=plan.hash) == (1, "applied")
    assert _products(books.owner) == ["Sports Club"]
    await books.apply(BARE)
    assert _products(books.owner) == ["Sports Club", "club"]


async def test_a_version_that_waits_gives_its_settings_when_it_is_approved(
    books: Books, kept: Kept
) -> None:
    await books.apply(program(limits="{ award = 10 }"))
    raised = program(limits="{ award = 11 }") + '[notices]\nproduct = "Union"\n'
    assert await books.apply(raised) == (2, "waiting")
    assert _products(books.owner) == ["club"]
    await books.service.approve(2, actor="bob", reason="test")
    assert _products(books.owner) == ["club", "Union"]


async def test_settings_that_are_not_kept_leave_nothing_of_the_file(
    books: Books, kept: Kept
) -> None:
    kept.refuses = True
    for ask in (books.service.plan(WHOLE), books.apply(WHOLE)):
        with pytest.raises(Rejected):
            await ask
    assert await books.ledger.assets() == []
    assert await books.service.history() == []


# --- files of an earlier release ------------------------------------------------------------

EARLIER = program(terms="{ priority = 3, notices = ['anything', 'deposit'] }")


async def test_books_whose_file_an_earlier_release_took_are_given_another(books: Books) -> None:
    """Any name was a kind of notice before there were notices."""
    await books.apply(program())
    books.owner.execute("update bursar.economy_versions set text = %s", (EARLIER,))
    with pytest.raises(Invalid):
        await books.service.plan(EARLIER.replace("= 5", "= 6"))
    wanted = program(terms="{ priority = 3, notices = ['deposit'] }")
    [change] = (await books.service.plan(wanted)).changes
    [found] = change.differences
    assert (found.field, found.before, found.after) == (
        "terms.notices",
        "anything, deposit",
        "deposit",
    )
    assert await books.apply(wanted) == (2, "applied")


def test_of_an_earlier_file_all_that_is_sound_is_read() -> None:
    found = parse_applied(EARLIER)
    assert isinstance(found, Economy)
    assert found.programs["p"].terms.priority == 3
    assert found.programs["p"].amount.fixed == 5


# --- whatever stands there ------------------------------------------------------------------

_VALUES = st.recursive(
    st.sampled_from(
        [
            "1",
            "-1",
            "true",
            "''",
            "'en'",
            "'22:00'",
            "'deposit'",
            "'a@b.example'",
            "1.5",
            "nan",
            "2026-01-01",
            "07:00:00",
            "9223372036854775808",
            "'inbox'",
            "'low_balance'",
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(
            st.sampled_from(["coins", "en", "from", "until", "below", "channels", "days", "'a b'"]),
            inner,
            max_size=3,
        ).map(lambda d: "{" + ", ".join(f"{k} = {v}" for k, v in d.items()) + "}")
    ),
    max_leaves=6,
)
_KEYS = (
    "product send channels language keep_days quiet operators names deposit reminder low_balance"
)


@given(st.dictionaries(st.sampled_from(_KEYS.split()), _VALUES))
@example({"send": "['low_balance']", "low_balance": "{ below = { coins = 1 } }"})
def test_whatever_the_values_there_are_settings_or_the_one_error(keys: dict[str, str]) -> None:
    text = BARE + "[notices]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
    try:
        found: object = parse(text).notices
    except Invalid as error:
        found = error.code
    assert isinstance(found, NoticeSettings) or found == "economy_invalid"
    if isinstance(found, NoticeSettings):
        assert msgspec.json.decode(msgspec.json.encode(found), type=NoticeSettings) == found
