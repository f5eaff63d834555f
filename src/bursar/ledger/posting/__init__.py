"""The one path by which credit moves: gather, decide, compare-and-set (L2-L5)."""
