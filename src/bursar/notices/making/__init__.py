"""Making what is sent: out of single movements at once, out of runs afterwards, ahead of time."""
