"""Notices: what people and machines are told of what happened, once for each fact."""
