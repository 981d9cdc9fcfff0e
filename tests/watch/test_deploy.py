"""The ready-made Prometheus rules and the Grafana dashboard name only metrics and labels that /metrics has."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from chekhov.config.database import read_clock_ms
from chekhov.delivery.models import Attempt, Callback, Lane, WorkerBeat
from chekhov.receipts.states import State
from chekhov.registers.models import Register
from chekhov.watch import metrics
from chekhov.watch.folding import fold
from chekhov.watch.models import Problem
from tests.watch.conftest import evaluate, move, only, receipt_of

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy/prometheus/chekhov.rules.yml"
DASHBOARD = ROOT / "deploy/grafana/chekhov.json"


def rule_expressions() -> list[str]:
    document = yaml.safe_load(RULES.read_text("utf-8"))
    rules = [rule for group in document["groups"] for rule in group["rules"]]
    assert len(rules) > 10
    for rule in rules:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["summary"]
    names = [rule["alert"] for rule in rules]
    assert len(names) == len(set(names))
    return [rule["expr"] for rule in rules]


def dashboard_expressions() -> list[str]:
    document = json.loads(DASHBOARD.read_text("utf-8"))
    panels = document["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 15
    places = [tuple(panel["gridPos"][side] for side in "xywh") for panel in panels]
    cells = [(x + dx, y + dy) for x, y, w, h in places for dx in range(w) for dy in range(h)]
    assert len(cells) == len(set(cells)), "panels overlap"
    assert max(x for x, _y in cells) < 24
    return [target["expr"] for panel in panels for target in panel["targets"]]


@pytest.fixture
def samples(client: Client, register: Register, monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """Every sample's name with the labels that it has, from a house in which everything has happened."""
    monkeypatch.setattr(metrics, "exposition", metrics.Exposition())
    receipt = receipt_of(register)
    sent_at = datetime.now(UTC)
    Attempt.objects.create(
        receipt=receipt, number=1, key_number=1, key="k", account=receipt.account, queue=1, callback_url="", body=b"",
        owner="w", sent_at=sent_at, answered_at=sent_at, outcome="accepted",
    )  # fmt: skip
    Callback.objects.create(
        provider="test", account=receipt.account, receipt=receipt, key="k", headers={}, body=b"", digest="d",
        verdict="verified", effect="none", received_at=sent_at,
    )  # fmt: skip
    move(receipt, State.SENDING, State.ACCEPTED, State.FISCALIZED)
    move(receipt_of(register), State.SENDING, State.FAILED)
    receipt_of(register)
    Lane.objects.create(account=register.account, queue=register.queue, in_flight_max=1)
    WorkerBeat.objects.create(name="w", started_at=sent_at, seen_ms=read_clock_ms())
    only("register_failing")
    evaluate()
    assert Problem.objects.exists()
    fold(alone=True)
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(client.get("/metrics").content.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize("expressions", [rule_expressions, dashboard_expressions])
def test_every_metric_that_is_asked_for_is_there(samples: dict[str, set[str]], expressions: Any) -> None:
    for expression in expressions():
        assert expression.count("(") == expression.count(")")
        names = set(re.findall(r"\bchekhov_\w+", expression))
        assert names or "up{" in expression
        assert names <= set(samples), expression
        for name, matchers in re.findall(r"\b(chekhov_\w+)\{([^}]*)\}", expression):
            labels = set(re.findall(r"(\w+)\s*[=!]", matchers))
            assert labels <= samples[name], expression
        known = set().union(*(samples[name] for name in names), {"name"}) if names else set()
        for group in re.findall(r"\b(?:by|on|group_left)\s*\(([^)]*)\)", expression):
            assert {label.strip() for label in group.split(",")} <= known, expression


def test_every_metric_is_explained_in_the_guide(samples: dict[str, set[str]]) -> None:
    guide = (ROOT / "docs/operations.md").read_text("utf-8")
    for name in samples:
        base = re.sub(r"_(bucket|count|sum|created)$", "", name)
        assert base in guide, name


def test_states_and_outcomes_that_are_named_exist() -> None:
    from chekhov.delivery.outcomes import Outcome
    from chekhov.delivery.selectors import Hold

    known = {
        "state": {state.value for state in State},
        "outcome": {outcome.value for outcome in Outcome},
        "reason": {hold.value for hold in Hold},
        "verdict": {"verified", "forged", "malformed"},
        "job": {"chekhov"},
    }
    for expression in [*rule_expressions(), *dashboard_expressions()]:
        for label, values in re.findall(r'(\w+)\s*=~?\s*"([^"]*)"', expression):
            assert set(values.split("|")) <= known[label], expression
