"""What is wished of notices, as it is sent."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, UnsetType

from bursar.client.answers.notices import Quiet

Choices = Mapping[str, Mapping[str, bool | None]]
"""By kind and way (``inbox``, ``email``) whether it comes; None is the economy's default again."""


def wishes(
    choices: Choices | None, quiet: Quiet | UnsetType | None, reason: str | None = None
) -> dict[str, Any]:
    """Write a change; what is not said stays."""
    body: dict[str, Any] = {} if choices is None else {"choices": choices}
    if quiet is not UNSET:
        body["quiet"] = quiet
    return body if reason is None else {**body, "reason": reason}
