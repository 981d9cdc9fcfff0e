from django.apps import AppConfig


class DirectoryApp(AppConfig):
    name = "chekhov.directory"
    label = "directory"
    verbose_name = "Справочники"
