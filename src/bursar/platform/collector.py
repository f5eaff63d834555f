"""A pause of Python's cycle collector while many short-lived objects are made.

A batch of ten thousand makes some hundred thousand objects, none in a cycle; the collector would
walk them again and again and take a fifth of the time. Only around code without ``await``.
"""

import gc


class paused_collector:  # noqa: N801 - used as a statement
    """``with paused_collector():`` leaves the collector as it found it."""

    __slots__ = ("_was_on",)

    def __enter__(self) -> None:
        self._was_on = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._was_on:
            gc.enable()
