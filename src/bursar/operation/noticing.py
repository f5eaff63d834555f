"""Reading what the doctor judges of notices: the books, the settings, keys and templates (O2, N5).

Secrets are looked at here, and go no further than whether they can be read.
"""

from bursar.notices.mail.render import Texts
from bursar.notices.making.following import FOLLOWER
from bursar.notices.sending.store import read_queues
from bursar.notices.store import read_state
from bursar.notices.webhooks import store
from bursar.notices.webhooks.model import Endpoint
from bursar.operation.store_doctor import read_behind
from bursar.operation.symptoms import NoticeFacts
from bursar.platform.database import Connection
from bursar.platform.errors import Broken, BursarError
from bursar.platform.place import Place
from bursar.platform.sealing import Seal, has_key, load_seal
from bursar.platform.settings import Settings


async def read_notices(connection: Connection, place: Place, settings: Settings) -> NoticeFacts:
    """Read all of it; the schema must be this program's. Nothing is made, not even a key."""
    state = await read_state(connection)
    endpoints = await store.read_endpoints(connection)
    seal = _seal(place, settings)
    return NoticeFacts(
        operators=len(state.settings.operators),
        queues=await read_queues(connection),
        behind_s=await read_behind(connection, FOLLOWER),
        webhooks={one.subject: "" if one.state == "on" else one.why for one in endpoints},
        sealed=seal is not None,
        unreadable=() if seal is None else await _unreadable(connection, endpoints, seal),
        mail_server=settings.smtp_url is not None,
        mail_from=bool(settings.mail_from),
        public_url=settings.public_url is not None,
        failures=_failures(settings),
    )


async def _unreadable(
    connection: Connection, endpoints: list[Endpoint], seal: Seal
) -> tuple[str, ...]:
    """Name the webhooks whose secret the key does not open."""
    found = []
    for one in endpoints:
        try:
            seal.open(await store.read_secret(connection, one.endpoint_id))
        except Broken:
            found.append(one.subject)
    return tuple(found)


def _seal(place: Place, settings: Settings) -> Seal | None:
    """Find the key that sending would use; an embedded server's file is not made for that."""
    if not settings.secrets_key and not (place.data_dir and has_key(place.data_dir)):
        return None
    try:
        return load_seal(settings, place.data_dir)
    except BursarError:
        return None


def _failures(settings: Settings) -> tuple[str, ...]:
    """Try the operator's templates; ours are tried where they are made."""
    if settings.templates is None:
        return ()
    return tuple(
        f"{one.file}:{one.line} ({one.what})" if one.line else f"{one.file} ({one.what})"
        for one in Texts(settings.templates).check()
    )
