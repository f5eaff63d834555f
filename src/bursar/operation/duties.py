"""What a worker does besides paying: signs of life, checking the books, forgetting (O2)."""

import os
import secrets
import socket

from bursar.operation.service import Operation
from bursar.programs.duty import Duty


def name_worker() -> str:
    """Name this process so that no other has the name: host, process, and some chance."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


def duties_of(operation: Operation, worker: str) -> tuple[Duty, ...]:
    """List the duties of a worker, each with the seconds from its end to its next beginning."""

    async def live() -> None:
        await operation.sign_of_life(worker)

    return (
        Duty("sign_of_life", 30, live),
        Duty("verify", 300, operation.verify_if_due),
        Duty("forget", 3_600, operation.forget),
    )
