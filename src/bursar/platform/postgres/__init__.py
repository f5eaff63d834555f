"""A PostgreSQL server of our own, one for each data directory (O1)."""

from bursar.platform.postgres.server import Server, Status, start, status, stop
from bursar.platform.postgres.upgrade import Upgraded, upgrade

__all__ = ["Server", "Status", "Upgraded", "start", "status", "stop", "upgrade"]
