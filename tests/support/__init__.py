"""What the tests stand on: a throw-away PostgreSQL, the schema as text, rows from the catalogue."""
