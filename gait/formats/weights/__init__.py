"""Reads files of network weights within bounds."""
