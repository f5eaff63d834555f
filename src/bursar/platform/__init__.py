"""What every capability stands on: database, embedded server, migrations, settings, errors."""
