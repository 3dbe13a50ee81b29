"""Sequences as pkl files: pretreated here, or imported from another program."""
