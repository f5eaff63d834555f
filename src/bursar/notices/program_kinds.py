"""Which kinds the versions of programs send; a version never changes, so it is read once."""

from collections.abc import Iterable

from bursar.notices.deriving import Source
from bursar.platform.database import Connection
from bursar.programs import store


class ProgramKinds:
    """The kinds of the versions met so far; `load` those that may come before they are asked."""

    def __init__(self) -> None:
        self._known: dict[Source, frozenset[str]] = {}

    async def load(self, connection: Connection, sources: Iterable[Source | None]) -> None:
        """Read the versions that have not been met; one that does not exist sends nothing."""
        missing = {source for source in sources if source is not None} - self._known.keys()
        for name in {source.program for source in missing}:
            for version in await store.read_versions(connection, name):
                source = Source(name, version.version)
                self._known[source] = frozenset(version.program.terms.notices)

    def __call__(self, source: Source) -> frozenset[str]:
        """Say which kinds a version sends, of those that were loaded."""
        return self._known.get(source, frozenset())
