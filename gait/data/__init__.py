"""Packed sequences to batches: store, samplers, frame sampling, transforms, loaders."""
