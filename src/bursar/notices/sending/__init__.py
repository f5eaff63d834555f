"""The queue of deliveries: claimed with a lease, carried outside of any transaction, told of."""
