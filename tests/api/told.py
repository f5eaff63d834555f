"""Economies whose holders are told things, for the tests of notices over HTTP."""

import asyncio
from typing import Any

from bursar.api.services import Services
from bursar.holders import HolderChange
from bursar.ledger import Credit
from bursar.notices.model import Kind, NoticeSettings
from bursar.notices.service import Notices
from bursar.notices.settings import SettingsBook
from bursar.platform.sealing import new_key
from bursar.platform.settings import load_settings

WHO = {"actor": "test", "reason": "because"}
TOLD = NoticeSettings(product="The Club", send=(Kind.DEPOSIT, Kind.LOW_BALANCE), below={"coins": 5})


async def tell(services: Services, settings: NoticeSettings = TOLD, **people: str) -> None:
    """Put settings in force, and enrol people with their locales: maria, if nobody is named."""
    async with services.ledger.database.transaction() as connection:
        await SettingsBook().put(connection, settings)
    named = people or {"maria": "en-GB"}
    changes = [
        HolderChange(name, locale=locale, email=f"{name}@club.example", time_zone="UTC")
        for name, locale in named.items()
    ]
    for done in await services.holders.upsert(changes, **WHO):
        assert done.refusal is None


async def give(services: Services, holder: str, *amounts: int, **said: Any) -> None:
    """Give credit so many times, each under a reference of its own: ``gift-1`` is the first."""
    for number, amount in enumerate(amounts, 1):
        credit = Credit(
            holder=holder, asset="coins", amount=amount, reference=f"gift-{number}", **said
        )
        (await services.ledger.submit(credit, **WHO)).unwrap()


async def at_once(*asked: Any) -> list[Any]:
    """Ask all of it at once."""
    return list(await asyncio.gather(*asked))


def with_key(services: Services, **more: str) -> None:
    """Let an economy's notices have a key for secrets, and webhooks reach this machine."""
    environ = {"BURSAR_SECRETS_KEY": new_key(), "BURSAR_WEBHOOK_NETWORKS": "127.0.0.0/8"}
    services.notices = Notices(services.ledger, load_settings(environ | more))
