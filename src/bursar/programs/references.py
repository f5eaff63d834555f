"""The names of awards: one reference for each program, period and generation (P5). Pure."""

from datetime import datetime

from bursar.programs.model import Calendar, Claim, Program, Rolling
from bursar.programs.zones import local_date


def zone_of(program: Program) -> str:
    """Name the zone in which a program's days are counted."""
    match program.schedule:
        case Calendar(zone=zone) | Rolling(zone=zone) | Claim(zone=zone):
            return zone
        case _:
            return "UTC"


def reference_of(program: Program, key: str, start: datetime, generation: int = 0) -> str:
    """Name an award of the period ``key`` that begins at ``start``.

    A generation is how often the period's awards have been taken back: what is given after a
    reversal must not pass for what was given before it.
    """
    local_day = local_date(start, zone_of(program)).strftime("%Y%m%d")
    text = (
        program.reference.replace("{program}", program.name)
        .replace("{period}", key)
        .replace("{date}", local_day)
    )
    return f"{text}~{generation}" if generation else text
