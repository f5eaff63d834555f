"""A command beside the process that started it: it is told to stop when that one is gone.

python -m bursar.cli.beside worker --json
"""

import os
import signal
import sys
import threading

from bursar.cli import main


def _watch() -> None:
    """Wait for the end of standard input, which the starter holds open as long as it lives."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_watch, name="starter-watch", daemon=True).start()
    main(sys.argv[1:])
