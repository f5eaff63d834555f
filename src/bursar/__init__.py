"""Bursar: the engine that issues, distributes, earns, spends and accounts for an app's currency."""

__version__ = "0.1.0"
