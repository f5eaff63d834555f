"""Cycles: where each holder of a rolling program stands."""
