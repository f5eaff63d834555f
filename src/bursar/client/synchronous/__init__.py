"""The blocking client, written by `make client`."""
