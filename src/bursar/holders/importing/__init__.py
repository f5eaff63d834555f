"""Importing holders from a file: plan, cells, files, and the one transaction (H2, H3)."""
