"""Backups of the books, and bringing them back (O3)."""

from bursar.platform.backup.archive import Manifest, inspect
from bursar.platform.backup.dump import back_up
from bursar.platform.backup.restore import Restored, restore

__all__ = ["Manifest", "Restored", "back_up", "inspect", "restore"]
