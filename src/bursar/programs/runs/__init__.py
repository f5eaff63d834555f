"""Runs: one execution of a program for one period, in chunks that any worker may claim."""
