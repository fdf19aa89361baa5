"""Measuring programs: the same work for a node, for the bare relay, and for a peer that is installed."""
