"""Silhouettes: out of videos, judged by their values, aligned and resized."""
