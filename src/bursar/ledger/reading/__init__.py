"""Reading the ledger: wallets, statements, the journal, explanations, followers (L9, L12)."""
