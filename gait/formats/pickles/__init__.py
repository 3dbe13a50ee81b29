"""Reads and writes pickles as data: no code in them is ever run."""
