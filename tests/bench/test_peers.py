"""The peers of the bench: who is left out is told, and the provider understands all of them."""

import importlib.util

import orjson
import pytest

from bench.cloud import Book
from bench.panel import GROUPS, pages
from bench.peers import running

SAMPLE = [17, "7a92e35a-3d7a-5bd6-9473-c2be9f855a11", "old1@example.ru", "OLD-1", 42]


def test_a_peer_whose_package_is_missing_is_skipped_with_the_reason(monkeypatch):
    monkeypatch.setitem(running._MODULES, running.CELERY, "no_such_package")
    assert running.missing(running.CELERY) == "the package no_such_package is not installed (requirements/bench.lock)"


def test_a_broker_that_does_not_answer_is_the_reason(monkeypatch):
    monkeypatch.setattr(running, "AMQP", "amqp://guest:guest@127.0.0.1:1//")
    monkeypatch.setitem(running._MODULES, running.CELERY, "orjson")
    assert running.missing(running.CELERY).startswith("RabbitMQ not reachable at 127.0.0.1:1")


def test_the_bare_loop_needs_the_vendors_client_only():
    assert running.missing(running.BARE_LOOP) == ""


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_the_provider_reads_json_with_and_without_spaces(separators):
    import json

    body = {"external_id": "k-1", "payments": [{"sum": 3082.5, "type": "card"}]}
    book = Book()
    task = orjson.loads(book.post(json.dumps(body, separators=separators).encode()))
    told = orjson.loads(book.get(b"/api/shop/v2/tasks/%d" % task["id"]))
    assert task["external_id"] == told["external_id"] == "k-1"
    assert told["fiscal_data"]["s"] == "3082.5"


def test_the_provider_reads_the_sdks_document():
    assert importlib.util.find_spec("komtet_kassa_sdk")
    from bench.peers import sale

    body = orjson.dumps(dict(sale.check(sale.order(7))), default=dict)
    book = Book()
    assert orjson.loads(book.post(body))["external_id"] == "peer-7"
    assert orjson.loads(book.get(b"/x/1"))["fiscal_data"]["s"] == "3082.0"
    assert sum(price * quantity for _, price, quantity in sale.LINES) == sale.TOTAL


def test_every_page_of_the_panel_belongs_to_a_row():
    made = pages([SAMPLE], 2)
    kinds = {kind for kind, _, _ in made}
    assert kinds == {kind for group in GROUPS.values() for kind in group}
    assert made[-1][0] == "metrics"
    assert [path for kind, path, _ in made if kind == "contact"] == ["/admin/receipts/?q=old1@example.ru"] * 2
