"""Settings, environment, clock, logging, and what the database must enforce for all rooms."""
