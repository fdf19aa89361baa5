"""A running node: the one place that introduces the boxes of the house to each other."""

from homing.node.serve import serve

__all__ = ["serve"]
