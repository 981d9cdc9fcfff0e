from django.apps import AppConfig


class WatchApp(AppConfig):
    name = "chekhov.watch"
    label = "watch"
    verbose_name = "Наблюдение"
