"""An asset, put where it belongs by the tables' owner: for tests that are about something else."""

import psycopg


def put_asset(owner_url: str, code: str = "coins") -> None:
    """Add a kind of credit in whole units."""
    with psycopg.connect(owner_url) as owner:
        owner.execute("insert into bursar.assets (code, scale) values (%s, 0)", (code,))
