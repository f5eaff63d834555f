"""Telling operators what needs them: by e-mail to those that the file names, and webhooks (P8)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from bursar.notices.deriving import notice
from bursar.notices.making import store
from bursar.notices.making.placing import Outlets, place, restored
from bursar.notices.making.store import Raised
from bursar.notices.model import Channel, Kind, Notice
from bursar.notices.sending.model import NewDelivery
from bursar.notices.sending.store import add
from bursar.notices.store import State
from bursar.platform.database import Connection

_RECENT: Final = timedelta(days=7)
_SUMMARY: Final = "failures_of_the_day"
_OPERATORS: Final = 0


async def alert(connection: Connection, state: State, outlets: Outlets) -> int:
    """Place what operators have not been told of yet; returns how many deliveries that made."""
    notices = [_notice(one) for one in await store.read_alerts(connection, state.now - _RECENT)]
    machines = Outlets(mail=False, endpoints=outlets.endpoints)
    made = await place(connection, state, machines, [[one] for one in notices])
    if outlets.mail:
        made += await add(connection, list(_mails(notices, state)))
    return made


def _mails(notices: list[Notice], state: State) -> Iterator[NewDelivery]:
    for one in notices:
        for address in state.settings.operators:
            yield NewDelivery(
                notice_id=one.notice_id,
                channel=Channel.EMAIL,
                kind=one.kind,
                happened_at=one.happened_at,
                data=one.data,
                address=address,
                parked_note=restored(one, state),
            )


def _notice(raised: Raised) -> Notice:
    data: dict[str, Any] = {"subject": raised.subject, "message": raised.message}
    kind = Kind.FAILURE_SUMMARY
    if raised.kind != _SUMMARY:
        kind = Kind.OPERATOR_ALERT
        data |= {"alert": raised.kind}
    return notice(_OPERATORS, kind, f"alert:{raised.alert_id}", raised.raised_at, data)
