"""The application as a process of granian loads it, in its main thread."""

from chekhov.config.processes import die_with_parent, heed_signals
from chekhov.config.wsgi import application

__all__ = ["application"]

die_with_parent()
heed_signals()
