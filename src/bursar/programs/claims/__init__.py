"""Claims: what a holder asks for once a day or week, and their streaks."""
