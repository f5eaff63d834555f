"""Measurements, each beside the limit of bare SQL in the same run. Never part of the tests."""
