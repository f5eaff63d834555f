"""What is outside of an economy: a mail server, and a machine that listens to webhooks."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from standardwebhooks import Webhook

from bursar.ledger import Ledger
from bursar.platform.database import Database
from bursar.platform.sealing import new_key
from bursar.platform.settings import Settings
from tests.acceptance.world import World
from tests.notices.mail.servers import Office, office
from tests.notices.webhooks.conftest import Receiver, serving

PUBLIC_URL = "https://coins.club.example"
_LINK = re.compile(re.escape(PUBLIC_URL) + r"/v1/unsubscribe/([\w-]+)")


class Letter(msgspec.Struct, frozen=True):
    """A letter as it came, and when that was by the economy's clock."""

    came: datetime
    to: str
    mail: EmailMessage

    @property
    def notice_id(self) -> str:
        """Of which notice it is."""
        return self.mail["Message-ID"].strip("<>").partition("@")[0]

    @property
    def subject(self) -> str:
        """What it says it is about."""
        return str(self.mail["Subject"])

    @property
    def text(self) -> str:
        """Its words, without the token of its link."""
        body = self.mail.get_body(("plain",))
        assert body is not None
        return _LINK.sub("LINK", body.get_content().replace("\r\n", "\n"))

    @property
    def token(self) -> str:
        """The token of the link by which a mailbox ends this kind of letter."""
        found = _LINK.fullmatch(self.mail["List-Unsubscribe"].strip("<>"))
        assert found is not None
        assert self.mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        return found[1]


class Fact(msgspec.Struct, frozen=True, order=True):
    """One notice as a machine was told it."""

    kind: str
    holder: str | None
    notice_id: str
    happened_at: str
    data: dict[str, Any]


class Outside:
    """Where a world's notices arrive."""

    def __init__(self, post: Office, port: int) -> None:
        self.post = post
        self.settings = Settings(
            data_dir=Path("nowhere"),
            smtp_url=f"smtp://127.0.0.1:{port}",
            mail_from="Sports Club <coins@club.example>",
            mail_per_second=1_000,
            public_url=PUBLIC_URL,
            secrets_key=(new_key(),),
            webhook_networks=("127.0.0.0/8",),
        )
        self.receiver: Receiver | None = None
        self._secret = ""
        self._came: list[datetime] = []

    def watch(self, world: World) -> None:
        """Note when letters come."""
        self.post.data = lambda _: self._came.append(world.now)

    async def listen(self, world: World, receiver: Receiver) -> None:
        """Have a machine told everything."""
        self.receiver = receiver
        made = await world.notices.endpoints.add(receiver.url, actor="test:owner", reason="play")
        self._secret = made.secret

    def letters(self, to: str | None = None) -> list[Letter]:
        """List what has come by mail, the first first; to one address if it is named."""
        came = zip(self._came, self.post.to, self.post.letters, strict=True)
        return [letter for letter in (Letter(*one) for one in came) if to in (None, letter.to)]

    def requests(self) -> int:
        """Count what was sent to the machine."""
        assert self.receiver is not None
        return len(self.receiver.got)

    def facts(self, kind: str | None = None) -> list[Fact]:
        """List what the machine was told, each signature verified, as an app of any maker would."""
        assert self.receiver is not None
        facts = []
        for request in self.receiver.got:
            told = Webhook(self._secret).verify(request.body, request.headers)
            assert set(told) == {"type", "timestamp", "data"}
            for notice in told["data"]["notices"]:
                own = [notice.pop(name) for name in ("holder", "id", "happened_at")]
                facts.append(Fact(told["type"], *own, notice))
        return [fact for fact in facts if kind in (None, fact.kind)]


@contextmanager
def outside() -> Iterator[Outside]:
    """Open a mail server for a world that is to be made."""
    with office() as (post, port):
        yield Outside(post, port)


@asynccontextmanager
async def telling_world(database: Any) -> AsyncIterator[tuple[World, Outside]]:
    """Make a world that sends what it has to tell, with a machine that listens to all of it."""
    pool = Database(database.url, max_connections=12)
    await pool.open()
    with outside() as there, psycopg.connect(database.owner_url, autocommit=True) as owner:
        async with Ledger(pool) as ledger:
            world = World(ledger, owner, there.settings)
            there.watch(world)
            async for receiver in serving(Receiver()):
                await there.listen(world, receiver)
                yield world, there
            await world.notices.close()
