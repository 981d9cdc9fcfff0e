"""Routes: the panel at the root, the shop's API, the provider's callbacks, health."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from chekhov.api.hooks import hook
from chekhov.api.v1 import nowhere
from chekhov.watch.views import healthz, metrics_view, readyz

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="panel:dashboard")),
    path("admin/", include("chekhov.panel.urls")),
    path("admin/", admin.site.urls),  # login, logout, password
    path("api/v1/", include("chekhov.api.v1")),
    re_path(r"^api/", nowhere),
    path("hooks/<str:provider>/<str:token>", hook),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics_view),
]
