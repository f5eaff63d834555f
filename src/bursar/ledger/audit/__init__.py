"""Proof of the books: verify recomputes them, export hands them to other accountants (L10, L11)."""
