"""Seeing: health, metrics and the set-up check."""
