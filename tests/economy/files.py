"""Economy files for tests."""

import pytest

from bursar.economy.model import Economy
from bursar.economy.parse import parse
from bursar.platform.errors import Invalid

HEAD = """\
[economy]
name = "club"
[assets.coins]
[assets.gems]
[programs.p]
"""
"""The program's keys follow from line 6 on."""


def program(**keys: str) -> str:
    """A file of one program, sound but for these keys in TOML; one that is empty is left out."""
    table = {"asset": '"coins"', "schedule": '{ every = "month" }', "amount": "5"} | keys
    return HEAD + "".join(f"{key} = {value}\n" for key, value in table.items() if value)


def problems(text: str | bytes) -> list[str]:
    """What is wrong with a text: ``line: key: words``."""
    with pytest.raises(Invalid) as caught:
        parse(text)
    assert caught.value.code == "economy_invalid"
    listed = caught.value.message.splitlines()
    assert all(line.startswith("economy.toml:") for line in listed)
    return [line.removeprefix("economy.toml:") for line in listed]


def read(text: str) -> Economy:
    """A text that is sound."""
    return parse(text)
