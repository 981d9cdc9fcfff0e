from django.apps import AppConfig


class SalesApp(AppConfig):
    name = "chekhov.sales"
    label = "sales"
    verbose_name = "Продажи"
