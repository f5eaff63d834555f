"""A shop that tells its people of what they get: settings put in force, what is sent where."""

from bursar.notices.model import Kind, NoticeSettings
from bursar.notices.store import put_settings
from bursar.programs.service import Programs
from tests.cli.conftest import credit, jsonl
from tests.cli.shop import Shop

WHY = ("--reason", "as agreed", "--actor", "cli:ann")
SAID = NoticeSettings(
    product="Sports Club",
    send=(Kind.DEPOSIT, Kind.CORRECTED),
    below={"coins": 2_050},
    operators=("ops@club.example",),
    names={"coins": {"en": "coins", "de": "Münzen"}},
)


def begin_telling(shop: Shop) -> None:
    """Put settings in force, and enrol a German who has an address."""

    async def put(programs: Programs) -> None:
        async with programs.ledger.database.transaction() as connection:
            await put_settings(connection, SAID)

    shop.use(put)
    shop.enrol("mia", email="mia@club.example", locale="de-DE", username="Mia")


def deposit(shop: Shop, holder: str = "mia", reference: str = "gift", amount: int = 5_000) -> None:
    """Give 50.00 coins by hand."""
    line = jsonl(credit(holder, reference, amount))
    assert shop("post", "-", "--reason", "a gift", stdin=line).code == 0
