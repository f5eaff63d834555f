"""The schema as text, the same from every supported PostgreSQL; ``make schema`` writes it.

python -m tests.support.schema > docs/schema.sql
"""

import re
import subprocess
import sys
from pathlib import Path

from bursar.platform.migrations import migrate
from bursar.platform.postgres.programs import find
from tests.support import postgres

COMMITTED = Path(__file__).parents[2] / "docs" / "schema.sql"

_HEADER = """\
-- The whole schema, as all migrations together make it. Written by `make schema`; a test compares.

"""

# What a dump says about itself, its session and its version rather than about the schema.
_NOISE = re.compile(
    r"^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\(un)?restrict .*)\n", re.MULTILINE
)


def dump(url: str) -> str:
    """Dump the schema ``bursar``: definitions and grants, without owners."""
    program = find(postgres.chosen_bin()).path("pg_dump")
    text = subprocess.run(
        [program, "--schema-only", "--schema=bursar", "--no-owner", url],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return _HEADER + re.sub(r"\n{2,}", "\n\n", _NOISE.sub("", text)).strip() + "\n"


def main() -> None:
    """Print the schema of an empty database after all migrations."""
    with postgres.server_in_temporary_directory(postgres.THROW_AWAY) as server:
        migrate(server.owner_url)
        sys.stdout.write(dump(server.owner_url))


if __name__ == "__main__":
    main()
