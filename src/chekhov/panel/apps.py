from django.apps import AppConfig


class PanelApp(AppConfig):
    name = "chekhov.panel"
    label = "panel"
    verbose_name = "Панель"
