"""The inbox: what a holder finds in the app, derived from the books when it is read (N1)."""
