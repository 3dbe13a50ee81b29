"""A raw tree becomes a catalogue of sequences; no file is moved."""
