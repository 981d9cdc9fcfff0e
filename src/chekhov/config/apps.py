from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ConfigApp(AppConfig):
    name = "chekhov.config"
    label = "config"
    verbose_name = "Основа"

    def ready(self) -> None:
        from chekhov.config.immutability import reinstall

        post_migrate.connect(reinstall, dispatch_uid="chekhov.immutability")
