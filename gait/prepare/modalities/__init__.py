"""Decoders of companion files, and the modality streams that they give."""
