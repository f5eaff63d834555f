"""The HTTP API: what other software asks of Bursar over the network (I1–I3)."""
