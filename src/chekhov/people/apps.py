from django.apps import AppConfig


class PeopleApp(AppConfig):
    name = "chekhov.people"
    label = "people"
    verbose_name = "Люди и ключи"
