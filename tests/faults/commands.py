"""`bursar worker` as an operator starts it: a command of its own, killed, stopped, none left."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

_PATIENCE_S: Final = 60
_COMMAND: Final = (sys.executable, "-m", "bursar", "worker", "--tick", "0.2", "--lanes", "2")


class Command:
    """One that runs."""

    def __init__(self, environ: dict[str, str], log: Path) -> None:
        with log.open("ab") as told:
            self._process = subprocess.Popen(
                _COMMAND, env=os.environ | environ, stdin=subprocess.DEVNULL, stderr=told
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; it must be alive."""
        assert self._process.poll() is None, f"it ended by itself: {self._process.returncode}"
        self._process.send_signal(number)

    def ended(self) -> int:
        """Wait for its end, and tell how it was."""
        return self._process.wait(_PATIENCE_S)

    def give_up(self) -> None:
        """End it whatever became of it."""
        self._process.kill()
        self.ended()


class Commands:
    """The commands of one test, with what `tests.faults.crew.Crew` has; ``with`` them."""

    def __init__(self, environ: dict[str, str], log: Path) -> None:
        self.hands: list[Command] = []
        self._environ = environ
        self._log = log

    def __enter__(self) -> "Commands":
        return self

    def __exit__(self, *_: object) -> None:
        for hand in self.hands:
            hand.give_up()

    def start(self) -> Command:
        """Begin one; whether it has come to work yet is not waited for."""
        self.hands.append(Command(self._environ, self._log))
        return self.hands[-1]

    def kill(self, hand: Command) -> None:
        """Kill one where it stands."""
        hand.signal(signal.SIGKILL)
        assert hand.ended() == -signal.SIGKILL
        self.hands.remove(hand)

    def stop_all(self) -> None:
        """Stop every one; each finishes what it has under way and ends in peace."""
        for hand in self.hands:
            hand.signal(signal.SIGTERM)
        while self.hands:
            assert self.hands[-1].ended() == 0
            self.hands.pop()
