"""From what the rules find to problems that open and close, and to notices about them.

One problem for a rule and a subject is open at a time; its opening is told once, then by a bounded number of reminders,
then its end. An end is believed only after the rule has found nothing for some minutes, so that what comes and goes is
one problem. Every step is a compare-and-set, so two that evaluate at once tell everything once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from django.db import models

from chekhov.config.database import fetch, uid, writing
from chekhov.directory.models import Organization
from chekhov.watch.findings import Finding
from chekhov.watch.models import AlertPolicy, Channel, Dispatch, Notice, Problem
from chekhov.watch.quiet import release_ms
from chekhov.watch.rules import findings, rules_as_set
from chekhov.watch.words import span

CLEAR_MS = 180_000  # a problem is over when its rule has found nothing for so long
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Changes:
    """What one evaluation has changed."""

    opened: int = 0
    closed: int = 0
    reminded: int = 0


def policy_read() -> AlertPolicy:
    """The shop's policy, or the default one, in the time zone of its first organization."""
    found = AlertPolicy.objects.filter(pk=1).first()
    if found is not None:
        return found
    time_zone = Organization.objects.order_by("pk").values_list("time_zone", flat=True).first()
    return AlertPolicy(time_zone=time_zone) if time_zone is not None else AlertPolicy()


def evaluate(*, now_ms: int) -> Changes:
    """Look at everything once and write down what has changed. Reads first, then one short transaction if needed."""
    policy = policy_read()
    rules = rules_as_set()
    found, looked = findings(now_ms, rules)
    switched_off = {item.rule.code for item in rules if not item.is_on}
    current = {(item.rule, item.subject): (item, is_urgent) for item, is_urgent in found}
    known = {(row.rule, row.subject): row for row in Problem.objects.filter(closed_ms__isnull=True).order_by("pk")}

    new = [pair for key, pair in current.items() if key not in known]
    off = [row for row in known.values() if row.rule in switched_off]
    absent = [row for key, row in known.items() if key not in current and row.rule in looked]
    back = [row for key, row in known.items() if key in current and row.absent_ms is not None]
    gone = [row for row in absent if row.absent_ms is None]
    over = [row for row in absent if row.absent_ms is not None and now_ms - row.absent_ms >= CLEAR_MS]
    again = [(row, *current[key]) for key, row in known.items() if key in current and _is_due(row, policy, now_ms)]
    if not (new or off or back or gone or over or again):
        return Changes()

    opened = closed = reminded = 0
    with writing():
        channels = list(
            Channel.objects.filter(is_on=True, removed_at__isnull=True).order_by("pk").values_list("pk", flat=True)
        )
        for finding, is_urgent in new:
            problem = _open(finding, is_urgent, now_ms)
            if problem is not None:
                opened += 1
                _tell("opened", problem, finding.text, channels, policy, now_ms)
        for row in off:
            _still_open(row).update(closed_ms=now_ms)
        for row in back:
            _still_open(row).update(absent_ms=None)
        for row in gone:
            _still_open(row).filter(absent_ms__isnull=True).update(absent_ms=now_ms)
        for row in over:
            if _still_open(row).filter(absent_ms=row.absent_ms).update(closed_ms=now_ms):
                closed += 1
                if policy.tell_recovery:
                    lasted = span(((row.absent_ms or now_ms) - row.opened_ms) / 1000)
                    _tell("recovered", row, f"{row.text} Длилось {lasted}.", channels, policy, now_ms)
        for row, finding, is_urgent in again:
            fresh = {"told_ms": now_ms, "reminders": row.reminders + 1, "text": finding.text[:500]}
            if _still_open(row).filter(told_ms=row.told_ms).update(**fresh, is_urgent=is_urgent):
                reminded += 1
                row.is_urgent = is_urgent
                _tell("reminder", row, finding.text, channels, policy, now_ms)
    return Changes(opened, closed, reminded)


def _is_due(row: Problem, policy: AlertPolicy, now_ms: int) -> bool:
    """Whether it is time to remind of a problem."""
    hours = policy.reminder_hours
    return bool(hours) and row.reminders < policy.reminders_most and now_ms - row.told_ms >= hours * HOUR_MS


def _still_open(row: Problem) -> models.QuerySet[Problem]:
    return Problem.objects.filter(pk=row.pk, closed_ms__isnull=True)


def _open(finding: Finding, is_urgent: bool, now_ms: int) -> Problem | None:
    """A new problem; None where another has opened it meanwhile."""
    rows = fetch(
        "INSERT INTO watch_problem (uuid, rule, subject, text, next_step, link, is_urgent, opened_ms, told_ms, "
        "reminders, absent_ms, closed_ms) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 0, NULL, NULL) "
        "ON CONFLICT DO NOTHING RETURNING id",
        [
            uid(uuid4()),
            finding.rule,
            finding.subject[:80],
            finding.text[:500],
            finding.next_step[:300],
            finding.link[:200],
            is_urgent,
            now_ms,
            now_ms,
        ],
    )
    return Problem.objects.get(pk=rows[0][0]) if rows else None


def _tell(kind: str, problem: Problem, text: str, channels: Sequence[int], policy: AlertPolicy, now_ms: int) -> None:
    """Write a notice and put it on its way to every channel. Without channels there is nobody to tell."""
    if not channels:
        return
    due_ms = now_ms
    if policy.quiet_on and not problem.is_urgent:
        due_ms = release_ms(now_ms, quiet_from=policy.quiet_from, quiet_to=policy.quiet_to, time_zone=policy.time_zone)
    notice = Notice.objects.create(
        kind=kind,
        problem=problem,
        rule=problem.rule,
        subject=problem.subject,
        text=text[:500],
        next_step="" if kind == "recovered" else problem.next_step,
        link=problem.link,
        is_urgent=problem.is_urgent,
        opened_ms=problem.opened_ms,
        at_ms=now_ms,
    )
    Dispatch.objects.bulk_create([Dispatch(notice=notice, channel_id=pk, due_ms=due_ms) for pk in channels])
