"""Long lists, page after page."""

from collections.abc import Iterator
from typing import Any, Final, Generic, TypeVar

import msgspec

from bursar.client.asking import Query
from bursar.client.errors import Broken
from bursar.client.synchronous.connection import Connection

T = TypeVar("T")

PAGE_SIZE: Final = 200


class Page(msgspec.Struct, Generic[T], frozen=True):
    """A part of a list; ``cursor`` asks for the part that follows, None at the end."""

    items: list[T]
    cursor: str | None = None


class Pages(Generic[T]):
    """A list that is read as far as it is looked at: iterate over it, or over its `pages`.

    Each iteration begins anew, at ``cursor`` if one was given.
    """

    def __init__(
        self,
        connection: Connection,
        kind: type[T],
        *segments: str | int,
        query: Query,
        page_size: int,
        cursor: str | None,
    ) -> None:
        self._connection = connection
        self._page: Any = Page[kind]  # type: ignore[valid-type]
        self._segments = segments
        self._query = query
        self._page_size = page_size
        self._cursor = cursor

    def pages(self) -> Iterator[Page[T]]:
        """Read page after page; keep a page's cursor to go on there another time."""
        cursor = self._cursor
        while True:
            query = {**self._query, "limit": self._page_size, "cursor": cursor}
            page: Page[T] = self._connection.get(self._page, *self._segments, query=query)
            yield page
            if page.cursor is None:
                return
            if page.cursor == cursor:
                raise Broken("answer_unreadable", "a page is followed by itself")
            cursor = page.cursor

    def __iter__(self) -> Iterator[T]:
        for page in self.pages():
            for item in page.items:
                yield item

    def first(self) -> Page[T]:
        """Read the first page alone."""
        query = {**self._query, "limit": self._page_size, "cursor": self._cursor}
        page: Page[T] = self._connection.get(self._page, *self._segments, query=query)
        return page
