"""Operation: figures for metrics, checks of the books, retention, the doctor (O2)."""

from bursar.operation.diagnosing import Diagnosis, diagnose
from bursar.operation.duties import duties_of, name_worker
from bursar.operation.model import Forgotten, Verification
from bursar.operation.service import Operation

__all__ = [
    "Diagnosis",
    "Forgotten",
    "Operation",
    "Verification",
    "diagnose",
    "duties_of",
    "name_worker",
]
