"""Routes: the panel at the root, the shop's API, the provider's callbacks, health."""

from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
