"""Spreading holders evenly over a cycle, by a hash of their ids (H3). Pure.

A first refresh date for each that depends on nothing but the id: the same on every machine and at
every import. The hash is uniform over the whole cycle, whatever the ids look like; the remainder's
bias is below one in 10¹⁴ for any cycle of a few years.
"""

from hashlib import sha256

from bursar.platform.errors import Invalid


def offset_days(external_id: str, cycle_days: int, salt: str = "") -> int:
    """Give a holder a day of the cycle, 0 … ``cycle_days`` - 1.

    Another ``salt`` (a program's name, say) gives another, independent order of the same people.
    Raises `Invalid` ``cycle_days`` for a cycle outside 1 to 3,660 days.
    """
    if type(cycle_days) is not int or not 1 <= cycle_days <= 3_660:
        raise Invalid("cycle_days", "a cycle has 1 to 3,660 days", cycle_days=str(cycle_days))
    salted = f"{len(salt)}:{salt}{external_id}".encode()
    return int.from_bytes(sha256(salted).digest()[:8], "big") % cycle_days
