"""Decoders of what lies beside silhouettes, and the streams that they give."""
