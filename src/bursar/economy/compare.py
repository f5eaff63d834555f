"""What one economy changes of another, in words (I7), and which limits it raises (P10). Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from bursar.economy.model import Change, Difference, Economy
from bursar.notices.model import Kind, NoticeSettings
from bursar.programs.model import Program

_LIMITS: Final = ("award", "run", "day", "approve_above")
_NOTHING: Final = Economy(name="")


def compare(before: Economy | None, after: Economy, versions: Mapping[str, int]) -> list[Change]:
    """List what changes; ``versions`` are those that programs would then have, where known."""
    old = before or _NOTHING
    changes: list[Change] = []
    if about := tuple(_differences(_about(before), _about(after))):
        effect = "its clock may be moved" if after.sandbox else "its clock is the world's"
        action: Literal["added", "changed"] = "changed" if before else "added"
        changes.append(Change("economy", after.name, action, effect, about))
    for code in sorted(old.assets.keys() | after.assets.keys()):
        if code not in old.assets:
            effect = f"with {after.assets[code]} decimal places, for good"
            changes.append(Change("asset", code, "added", effect))
        elif code not in after.assets:
            effect = "no longer in the file; the books and the wallets keep it"
            changes.append(Change("asset", code, "removed", effect))
    for name in sorted(old.programs.keys() | after.programs.keys()):
        change = _program(name, old.programs.get(name), after.programs.get(name), versions)
        if change is not None:
            changes.append(change)
    notices = _notices(old, after)
    return [*changes, notices] if notices is not None else changes


def raised_limits(before: Mapping[str, Program], after: Mapping[str, Program]) -> list[str]:
    """Name the limits that are higher or gone, for which a second person is asked (P10)."""
    raised = []
    for name in sorted(before.keys() & after.keys()):
        for limit in _LIMITS:
            old, new = getattr(before[name].limits, limit), getattr(after[name].limits, limit)
            if old is not None and (new is None or new > old):
                raised.append(f"programs.{name}.limits.{limit}: {old} → {_word(new) or 'none'}")
    return raised


def _program(
    name: str, before: Program | None, after: Program | None, versions: Mapping[str, int]
) -> Change | None:
    if after is None:
        effect = "is retired: no further period begins, what it gave stays"
        return Change("program", name, "removed", effect)
    number = f"version {versions[name]}" if name in versions else "it"
    if before is None:
        return Change("program", name, "added", f"{number} begins with its first period")
    found = tuple(_differences(_flat(before), _flat(after)))
    if not found:
        return None
    return Change("program", name, "changed", f"{number} begins where what is paid ends", found)


def _notices(before: Economy, after: Economy) -> Change | None:
    """Tell what changes for those who are told something (N5); what programs name is theirs."""
    kinds = sorted(before.notices.by_kind.keys() | after.notices.by_kind.keys())
    found = tuple(_differences(_told(before, kinds), _told(after, kinds)))
    if not found:
        return None
    if _says_nothing(after):
        effect = "only what programs name is told, in the usual ways"
        return Change("notices", after.name, "removed", effect, found)
    action: Literal["added", "changed"] = "added" if _says_nothing(before) else "changed"
    return Change("notices", after.name, action, "counts for notices from now on", found)


def _says_nothing(economy: Economy) -> bool:
    usual = NoticeSettings(product=economy.name, time_zone=economy.time_zone)
    return economy.notices == usual


def _told(economy: Economy, kinds: Sequence[Kind]) -> dict[str, str]:
    """Spell the table of notices as the file does; the zone is the economy's and told with it.

    Of ``kinds`` the channels are told that they have, their own or those of all.
    """
    said = economy.notices
    flat = {
        "product": "" if said.product == economy.name else said.product,
        "send": _word(said.send),
        "channels": _channels(said.channels),
        "quiet": f"{said.quiet.start:%H:%M} to {said.quiet.until:%H:%M}" if said.quiet else "",
        "language": said.language,
        "keep_days": _word(said.keep_days),
        "operators": _word(said.operators),
        "reminder.days": _word(said.reminder_days),
        "expiring_soon.days": _word(said.expiring_days),
    }
    for kind in kinds:
        flat[f"{kind.value}.channels"] = _channels(said.defaults(kind))
    _spell(said.below, "low_balance.below.", flat)
    _spell(said.names, "names.", flat)
    return flat


def _channels(channels: tuple[str, ...]) -> str:
    return ", ".join(channels) or "none"


def _about(economy: Economy | None) -> dict[str, str]:
    if economy is None:
        return {}
    return {
        "name": economy.name,
        "time_zone": economy.time_zone,
        "sandbox": _word(economy.sandbox),
    }


def _flat(program: Program) -> dict[str, str]:
    """Spell a program's keys as the file does, each with its value in words."""
    flat: dict[str, str] = {}
    _spell(msgspec.to_builtins(program, str_keys=True), "", flat)
    del flat["name"]
    return flat


def _spell(values: Mapping[str, Any], prefix: str, flat: dict[str, str]) -> None:
    for key, value in values.items():
        name = f"{prefix}{'time_zone' if key == 'zone' else key}"
        if isinstance(value, dict):
            _spell(value, f"{name}.", flat)
        else:
            flat[name] = _word(value)


def _differences(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Difference]:
    for field in dict.fromkeys((*before, *after)):
        old, new = before.get(field, ""), after.get(field, "")
        if old != new:
            yield Difference(field, old, new)


def _word(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            return ", ".join(map(str, value))
        case _:
            return str(value)
