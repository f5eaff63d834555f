"""The OpenAPI document as text; ``make openapi`` writes it.

python -m tests.support.openapi > docs/openapi.json
"""

import sys
from pathlib import Path

import msgspec

from bursar.api.openapi import document_of
from bursar.api.routes import ROUTES

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"


def text() -> str:
    """Write the document, one line a value, so that a change can be read."""
    return msgspec.json.format(msgspec.json.encode(document_of(ROUTES)), indent=2).decode() + "\n"


def main() -> None:
    """Print the document."""
    sys.stdout.write(text())


if __name__ == "__main__":
    main()
