"""The hub: one look for all who listen, none for nobody (N1)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import pytest
import structlog

from bursar.api import hub as module
from bursar.api.hub import MOST_OF_A_HOLDER, Hub, Listener, Tip
from bursar.notices.model import InboxNotice
from bursar.platform.errors import BursarError, Unavailable

TURNS = 50


class Tips:
    """An inbox of which only the tips are asked; it counts, and may be away."""

    def __init__(self) -> None:
        self.tip: dict[int, Tip] = {}
        self.asked: list[int] = []
        self.away: Exception | None = None

    async def tips(self, holder_ids: Sequence[int]) -> dict[int, Tip]:
        self.asked.append(len(holder_ids))
        if self.away is not None:
            raise self.away
        return {one: self.tip[one] for one in holder_ids if one in self.tip}

    async def number_of(self, holder: str) -> int:
        return int(holder)

    async def newest(self, holder_id: int) -> int:
        return 0

    async def since(self, holder_id: int, number: int, *, limit: int) -> list[InboxNotice]:
        return []

    async def unread_of(self, holder_id: int) -> int:
        return 0


class Ear:
    """Somebody who listens, and counts what they are told."""

    def __init__(self, hub: Hub, holder_id: int) -> None:
        self.told = 0
        self.listener: Listener = hub.join(holder_id, self.hear)

    def hear(self) -> None:
        self.told += 1


@pytest.fixture
def inbox() -> Tips:
    return Tips()


@pytest.fixture
async def hub(inbox: Tips) -> AsyncIterator[Hub]:
    hub = Hub(inbox, every_s=0)
    yield hub
    await hub.close()


async def looks(inbox: Tips, number: int = 2) -> None:
    """Let so many looks come to their end."""
    until = len(inbox.asked) + number
    for _ in range(1_000):
        if len(inbox.asked) >= until:
            break
        await asyncio.sleep(0)
    else:
        raise AssertionError("the hub does not look")
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def test_who_has_news_is_told_once_and_nobody_else(inbox: Tips, hub: Hub) -> None:
    maria, jun = Ear(hub, 1), Ear(hub, 2)
    for ear in (maria, jun):
        await hub.begin(ear.listener)
    await looks(inbox)
    assert (maria.told, jun.told) == (0, 0)
    inbox.tip[1] = (7, 0)
    await looks(inbox)
    assert (maria.told, jun.told) == (1, 0)


async def test_what_comes_between_joining_and_the_first_look_is_told(inbox: Tips, hub: Hub) -> None:
    ear = Ear(hub, 1)
    assert await hub.begin(ear.listener) == (0, 0)
    inbox.tip[1] = (7, 0)
    await looks(inbox)
    assert ear.told == 1


async def test_every_stream_of_a_holder_is_told(inbox: Tips, hub: Hub) -> None:
    ears = [Ear(hub, 1) for _ in range(3)]
    for ear in ears:
        await hub.begin(ear.listener)
    inbox.tip[1] = (1,)
    await looks(inbox)
    assert [ear.told for ear in ears] == [1, 1, 1]


async def test_nobody_who_listens_costs_no_query(inbox: Tips, hub: Hub) -> None:
    ears = [Ear(hub, 1), Ear(hub, 2)]
    await looks(inbox)
    for ear in ears:
        hub.leave(ear.listener)
    asked = len(inbox.asked)
    for _ in range(TURNS):
        await asyncio.sleep(0)
    assert (len(inbox.asked), len(hub)) == (asked, 0)
    again = Ear(hub, 1)
    inbox.tip[1] = (1,)
    await looks(inbox)
    assert again.told == 1


async def test_a_look_that_swallows_the_word_that_it_is_to_end_is_the_last(
    inbox: Tips, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a wait of Python 3.11 may, when the answer comes at the same instant."""
    looking, answered = asyncio.Event(), asyncio.Event()

    async def tips(_: Sequence[int]) -> dict[int, Tip]:
        looking.set()
        with suppress(asyncio.CancelledError):
            await answered.wait()
        return {}

    monkeypatch.setattr(inbox, "tips", tips)
    before = asyncio.all_tasks()
    ear = Ear(hub, 1)
    await looking.wait()
    assert len(asyncio.all_tasks() - before) == 1
    hub.leave(ear.listener)
    for _ in range(TURNS):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() - before == set()


async def test_holders_are_asked_for_together_a_thousand_at_most(inbox: Tips, hub: Hub) -> None:
    for holder_id in range(1, 1_501):
        Ear(hub, holder_id)
    Ear(hub, 1)
    await looks(inbox)
    assert inbox.asked[:2] == [1_000, 500]


@pytest.mark.parametrize("away", [Unavailable("database_unavailable", "away"), ValueError("odd")])
async def test_a_database_that_is_away_is_waited_for_and_told_of_once(
    inbox: Tips, hub: Hub, away: Exception
) -> None:
    ear = Ear(hub, 1)
    await hub.begin(ear.listener)
    with structlog.testing.capture_logs() as logs:
        inbox.away = away
        await looks(inbox, 5)
        assert [log["event"] for log in logs] == ["inboxes_not_watched"]
        assert str(away) in logs[0]["error"]
        inbox.away, inbox.tip[1] = None, (1,)
        await looks(inbox)
        assert ear.told == 1
        inbox.away = away
        await looks(inbox)
        assert len(logs) == 2


async def test_who_has_missed_something_is_told_again(inbox: Tips, hub: Hub) -> None:
    ear = Ear(hub, 1)
    await hub.begin(ear.listener)
    ear.listener.missed()
    await looks(inbox)
    assert ear.told == 1


async def test_a_holder_has_five_streams_and_others_theirs(hub: Hub) -> None:
    ears = [Ear(hub, 1) for _ in range(MOST_OF_A_HOLDER)]
    with pytest.raises(Unavailable, match="5 streams") as refused:
        Ear(hub, 1)
    assert refused.value.code == "too_many_streams"
    Ear(hub, 2)
    hub.leave(ears[0].listener)
    Ear(hub, 1)
    assert len(hub) == MOST_OF_A_HOLDER + 1


async def test_a_process_has_so_many_streams(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    ears = [Ear(hub, holder_id) for holder_id in range(3)]
    with pytest.raises(BursarError) as refused:
        Ear(hub, 9)
    assert refused.value.code == "too_many_listeners"
    hub.leave(ears[1].listener)
    Ear(hub, 9)
