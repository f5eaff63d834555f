"""The audit trail: who did what to the economy, why, and what changed by it (I2)."""

from bursar.trail.model import Act, Wanted
from bursar.trail.service import Trail, record

__all__ = ["Act", "Trail", "Wanted", "record"]
