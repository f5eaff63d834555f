"""Programs: who is given what and when, and the runs that give it."""
