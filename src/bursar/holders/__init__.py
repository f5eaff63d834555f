"""The directory of people (H): who they are to the app, since when, and what they were before."""

from bursar.holders.model import Holder, HolderChange, Mark, Past, People, Upserted, Wanted
from bursar.holders.service import Holders

__all__ = [
    "Holder",
    "HolderChange",
    "Holders",
    "Mark",
    "Past",
    "People",
    "Upserted",
    "Wanted",
]
