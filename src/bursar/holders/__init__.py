"""The directory of people: who they are to the app, and what they were before (H).

    holders = Holders(ledger)
    maria = HolderChange("maria", status="active", tier="pro", verified=True)
    [done] = await holders.upsert([maria], actor="app", reason="sign-up")

What stands in ``__all__`` is for everyone; programs also read people through `store_people`.
"""

from bursar.holders.importing.import_plan import ImportPlan
from bursar.holders.importing.run import Progress, Reject, Report, Sinks
from bursar.holders.model import (
    FACTS,
    Holder,
    HolderChange,
    Login,
    Mark,
    Past,
    People,
    Refusal,
    Seen,
    Unique,
    Upserted,
    Wanted,
    as_error,
    version_of,
)
from bursar.holders.service import Holders

__all__ = [
    "FACTS",
    "Holder",
    "HolderChange",
    "Holders",
    "ImportPlan",
    "Login",
    "Mark",
    "Past",
    "People",
    "Progress",
    "Refusal",
    "Reject",
    "Report",
    "Seen",
    "Sinks",
    "Unique",
    "Upserted",
    "Wanted",
    "as_error",
    "version_of",
]
