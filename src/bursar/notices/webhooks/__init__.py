"""Webhooks: what machines are told, signed as Standard Webhooks says (N3)."""
