"""Weights and checkpoints: read, checked, written."""
