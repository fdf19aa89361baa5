"""Decisions. This package knows values, codecs and the ports in ``ports.py``; never a socket or a table."""
