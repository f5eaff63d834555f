"""What notices there are and how they read; what one holder was told, and wishes."""

from msgspec import UNSET, UnsetType

from bursar.client.answers.notices import (
    Bounce,
    Cleared,
    Letter,
    Notice,
    NoticeKind,
    NoticeKinds,
    NoticeSettings,
    Preferences,
    Quiet,
    TemplateFailure,
    TemplateFailures,
)
from bursar.client.asynchronous.connection import Connection
from bursar.client.asynchronous.pages import PAGE_SIZE, Pages
from bursar.client.wishes import Choices, wishes


class NoticeCalls:
    """Notices, for those who run the economy."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def kinds(self) -> list[NoticeKind]:
        """List every kind, with the ways that are in force unless a holder chooses."""
        return (await self._connection.get(NoticeKinds, "notices", "kinds")).items

    async def settings(self) -> NoticeSettings:
        """Show what the economy file says of notices, as it is in force."""
        return await self._connection.get(NoticeSettings, "notices", "settings")

    async def preview(self, kind: str, *, language: str = "en") -> Letter:
        """Write a kind with made-up data, as it would be sent."""
        query = {"kind": kind, "language": language}
        return await self._connection.get(Letter, "notices", "preview", query=query)

    async def check_templates(self) -> list[TemplateFailure]:
        """Try every template in every language; what fails, if anything."""
        return (await self._connection.get(TemplateFailures, "notices", "templates")).items

    def inbox(
        self,
        holder: str,
        *,
        unread: bool = False,
        page_size: int = PAGE_SIZE,
        cursor: str | None = None,
    ) -> Pages[Notice]:
        """List what a holder was told, the newest first; nothing is read by that."""
        return Pages(
            self._connection,
            Notice,
            *("holders", holder, "inbox"),
            query={"unread": unread},
            page_size=page_size,
            cursor=cursor,
        )

    async def preferences(self, holder: str) -> Preferences:
        """Show which notices come to a holder by which way, and when e-mail waits."""
        path = ("holders", holder, "notice-preferences")
        return await self._connection.get(Preferences, *path)

    async def change_preferences(
        self,
        holder: str,
        *,
        reason: str,
        choices: Choices | None = None,
        quiet: Quiet | UnsetType | None = UNSET,
        if_match: str | None = None,
    ) -> Preferences:
        """Choose for a holder; what is not named stays, None is the economy's default again.

        With ``if_match``, an ``etag`` of preferences, only if nobody has changed them since.
        """
        return await self._connection.patch(
            Preferences,
            *("holders", holder, "notice-preferences"),
            body=wishes(choices, quiet, reason),
            if_match=if_match,
            safe=if_match is None,
        )

    def bounces(
        self, *, holder: str | None = None, page_size: int = PAGE_SIZE, cursor: str | None = None
    ) -> Pages[Bounce]:
        """List the addresses to which nothing is sent, the newest first."""
        query = {"holder": holder}
        return Pages(
            self._connection, Bounce, "bounces", query=query, page_size=page_size, cursor=cursor
        )

    async def clear_bounces(self, holder: str, *, reason: str) -> int:
        """Let letters go to a holder again; how many addresses were blocked. Raises `Missing`."""
        path = ("holders", holder, "bounces")
        done = await self._connection.delete(Cleared, *path, query={"reason": reason})
        return done.cleared
