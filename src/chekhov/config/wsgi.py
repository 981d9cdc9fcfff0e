"""The WSGI application that granian serves."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chekhov.config.settings")

application = get_wsgi_application()

# What has been loaded stays for ever: the collector need not walk it again and again. Requests leave hardly any
# cycles, so it may also come less often; both together are a sixth of what accepting a batch costs.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 50)
