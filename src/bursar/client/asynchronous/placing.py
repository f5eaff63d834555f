"""A hold on its way: what `HoldCalls.place` gives before it is awaited or entered."""

from collections.abc import Coroutine, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bursar.client.asynchronous.holds import Hold


class Placing:
    """Await it for the hold, or enter it: ``async with client.holds.place(…) as hold``."""

    def __init__(self, placed: Coroutine[Any, Any, "Hold"]) -> None:
        self._placed = placed
        self._hold: Hold | None = None

    def __await__(self) -> Generator[Any, Any, "Hold"]:
        return self._placed.__await__()

    async def __aenter__(self) -> "Hold":
        self._hold = await self._placed
        return await self._hold.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._hold is not None  # noqa: S101 - it was entered
        await self._hold.__aexit__(kind, error, trace)
