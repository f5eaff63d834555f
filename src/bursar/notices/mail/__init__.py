"""Notices by e-mail: their texts, the letters made of them, and the server that takes them (N2)."""
