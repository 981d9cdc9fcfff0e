from django.apps import AppConfig


class ReceiptsApp(AppConfig):
    name = "chekhov.receipts"
    label = "receipts"
    verbose_name = "Кассовый модуль"
