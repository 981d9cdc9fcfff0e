"""A browser of the panel: gets pages one after another over one connection. Prints one JSON object."""

from __future__ import annotations

import http.client
import sys
import time
from typing import Any

import orjson

TIMEOUT_SECONDS = 20.0


def main(spec: dict[str, Any]) -> dict[str, Any]:
    """Milliseconds of every page by its kind, from the first byte of the request to the last of the answer.

    `pages` are (kind, path, text that the page must show). A page that does not come is counted with the time-out, and
    is the last one: the server is still at it.
    """
    browser = http.client.HTTPConnection("127.0.0.1", spec["port"], timeout=TIMEOUT_SECONDS)
    seen: dict[str, list[float]] = {}
    for kind, path, expected in spec["pages"]:
        started = time.perf_counter()
        try:
            browser.request("GET", path, headers={"Cookie": spec["cookie"], "Accept": "text/html"})
            answer = browser.getresponse()
            body = answer.read()
        except TimeoutError:
            seen.setdefault(kind, []).append(TIMEOUT_SECONDS * 1000)
            break
        seen.setdefault(kind, []).append((time.perf_counter() - started) * 1000)
        if answer.status != 200 or expected.encode() not in body:
            raise SystemExit(f"{path}: status {answer.status}, expected to see «{expected}»")
    return seen


if __name__ == "__main__":
    print(orjson.dumps(main(orjson.loads(sys.argv[1]))).decode())
