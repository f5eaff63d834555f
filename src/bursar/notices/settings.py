"""What the economy file says of notices, put in force with the rest of it (I7)."""

from bursar.notices import store
from bursar.notices.model import NoticeSettings
from bursar.platform.database import Connection, Database


class SettingsBook:
    """The settings of one database's notices."""

    async def put(self, connection: Connection, settings: NoticeSettings) -> None:
        """Put settings in force in the caller's transaction; facts count from the first time."""
        await store.put_settings(connection, settings)

    async def show(self, database: Database) -> NoticeSettings:
        """Show what is in force."""
        async with database.connection() as connection:
            return (await store.read_state(connection)).settings
