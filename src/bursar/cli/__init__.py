"""The command line: everything an operator does (I4). It translates and shows, no more."""

from bursar.cli.app import main

__all__ = ["main"]
