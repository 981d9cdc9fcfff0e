from django.apps import AppConfig


class DeliveryApp(AppConfig):
    name = "chekhov.delivery"
    label = "delivery"
    verbose_name = "Доставка"
