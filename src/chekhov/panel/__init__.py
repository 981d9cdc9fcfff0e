"""The admin panel: lists and forms by django-unfold, and pages of our own inside it."""
