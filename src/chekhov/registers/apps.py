from django.apps import AppConfig


class RegistersApp(AppConfig):
    name = "chekhov.registers"
    label = "registers"
    verbose_name = "Онлайн-кассы"
