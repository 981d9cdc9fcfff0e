from django.apps import AppConfig


class PanelApp(AppConfig):
    name = "chekhov.panel"
    label = "panel"
    verbose_name = "Панель"

    def ready(self) -> None:
        """Take away the pages that other packages registered: nothing may be edited behind the services' back."""
        from django.contrib import admin

        for model in list(admin.site._registry):
            admin.site.unregister(model)
