"""The economy file and the economy's clock."""

from datetime import datetime

from bursar.client.answers.programs import Applied, Clock, Plan, Version, VersionText
from bursar.client.asking import said
from bursar.client.synchronous.connection import Connection
from bursar.client.synchronous.pages import PAGE_SIZE, Pages


class EconomyCalls:
    """What the currency is and who is given how much when, as one text with versions."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self) -> VersionText:
        """Show the version in force; raises `Missing` where there is none."""
        return self._connection.get(VersionText, "economy")

    def versions(self, *, page_size: int = PAGE_SIZE, cursor: str | None = None) -> Pages[Version]:
        """List the versions, the newest first."""
        path = ("economy", "versions")
        return Pages(self._connection, Version, *path, query={}, page_size=page_size, cursor=cursor)

    def version(self, number: int) -> VersionText:
        """Show a version."""
        return self._connection.get(VersionText, "economy", "versions", number)

    def plan(self, text: str, *, rename: bool = False, costs: bool = True) -> Plan:
        """Tell what would become of a text if it were applied now; nothing is written.

        Without ``costs`` it is not told what next periods would cost, which looks at every holder.
        """
        body = {"text": text, "rename": rename, "costs": costs}
        return self._connection.post(Plan, "economy", "plan", body=body)

    def apply(
        self,
        text: str,
        *,
        reason: str,
        expect: str | None = None,
        rename: bool = False,
        if_match: str | None = None,
    ) -> Applied:
        """Put a text in force, or hand it in where a second person must approve.

        The same text again is ``unchanged``. With ``expect``, a plan's hash, it is what the plan
        showed or a `Conflict`; with ``if_match``, a version's ``etag``, that must be in force.
        """
        body = said(text=text, reason=reason, expect=expect, rename=rename)
        return self._connection.post(
            Applied, "economy", "apply", body=body, if_match=if_match, safe=if_match is None
        )

    def approve(self, version: int, *, reason: str) -> Version:
        """Approve a version that waits, as a second person."""
        return self._decide(version, "approve", reason)

    def refuse(self, version: int, *, reason: str) -> Version:
        """Refuse a version that waits."""
        return self._decide(version, "refuse", reason)

    def clock(self) -> Clock:
        """Tell the time of the economy."""
        return self._connection.get(Clock, "clock")

    def move_clock(
        self, *, reason: str, to: datetime | None = None, by_s: int | None = None
    ) -> Clock:
        """Move a sandbox ahead, to an instant or by seconds; at most 31 days a call."""
        body = said(to=to, by_s=by_s, reason=reason)
        return self._connection.post(Clock, "clock", "move", body=body, safe=False)

    def _decide(self, version: int, act: str, reason: str) -> Version:
        path = ("economy", "versions", version, act)
        return self._connection.post(Version, *path, body={"reason": reason}, safe=False)
