"""The schema as numbered SQL files, and the runner that brings a database up to them (O1, O3)."""

from bursar.platform.migrations.files import SHIPPED, Migration, MigrationSet
from bursar.platform.migrations.runner import migrate, pending, require_schema, schema_version

__all__ = [
    "SHIPPED",
    "Migration",
    "MigrationSet",
    "migrate",
    "pending",
    "require_schema",
    "schema_version",
]
