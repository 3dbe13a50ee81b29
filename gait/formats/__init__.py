"""Readers of files that several packages read; each bounds what it takes by what a file holds."""
