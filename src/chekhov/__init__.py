"""Chekhov: a self-hosted cash module under 54-ФЗ. Exactly one fiscal receipt for every settlement."""

__version__ = "0.1.0"
