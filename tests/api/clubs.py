"""An economy for the tests of operators' endpoints: a file, people, and programs at work."""

from typing import Any

import httpx

from bursar.api.services import Services
from bursar.holders import HolderChange

CLUB = """\
[economy]
name = "club"
sandbox = true

[assets.coins]

[programs.monthly]
asset = "coins"
schedule = { every = "month" }
starts = 2020-01-01
amount = 100

[programs.daily]
asset = "coins"
schedule = { claim = "day" }
amount = 5

[programs.yearly]
asset = "coins"
schedule = { days = 365, anchor = "created" }
amount = 7
"""

HELD_BACK = CLUB.replace("amount = 100\n", "amount = 100\nlimits = { approve_above = 50 }\n")


async def found(services: Services, text: str = CLUB, people: tuple[str, ...] = ("maria",)) -> None:
    """Apply a file, and enrol these people."""
    applied = await services.economy.apply(text, actor="api:founder", reason="a club is founded")
    assert applied.version.state == "applied"
    changes = [HolderChange(name) for name in people]
    for done in await services.holders.upsert(changes, actor="api:founder", reason="joined"):
        assert done.refusal is None


def said(answer: httpx.Response, status: int = 200) -> Any:
    """Make sure of the status, and tell the body."""
    assert answer.status_code == status, answer.text
    return answer.json()
