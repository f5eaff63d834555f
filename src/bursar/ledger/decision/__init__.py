"""What a command does to wallets: pure rules from state and commands to entries (L2-L8, L13)."""
