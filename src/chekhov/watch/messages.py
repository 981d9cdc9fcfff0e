"""What goes to a channel: some notices as one message, in words for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from chekhov.watch.models import Notice
from chekhov.watch.rules import RULES
from chekhov.watch.words import instant_of, local_time

SHOWN = 20
LONGEST_TEXT = 30_000  # of a letter: twenty notices of 500 + 300 + 200 characters
HEADS = {"opened": "Неполадка", "reminder": "Всё ещё не исправлено", "recovered": "Исправлено", "test": "Проверка"}


@dataclass(frozen=True, slots=True)
class Message:
    """One message: a subject, a text for people, a body for programs. `id` is new with each try."""

    id: UUID
    subject: str
    text: str
    body: bytes


def compose(message_id: UUID, notices: Sequence[Notice], *, time_zone: int, now_ms: int) -> Message:
    """Put notices, the urgent and the older first, into one message."""
    order = sorted(notices, key=lambda notice: (not notice.is_urgent, notice.pk))
    parts = [_paragraph(notice, time_zone) for notice in order[:SHOWN]]
    if len(order) > SHOWN:
        parts.append(f"И ещё {len(order) - SHOWN}: {settings.CHEKHOV_BASE_URL}/admin/alerts/")
    body = {
        "format": 1,
        "message": str(message_id),
        "installation": settings.CHEKHOV_BASE_URL,
        "sent_at": instant_of(now_ms).isoformat(),
        "events": [_event(notice) for notice in order],
    }
    text = "\n\n".join(parts)
    return Message(message_id, _subject(order), text, json.dumps(body, ensure_ascii=False).encode())


def title_of(notice: Notice) -> str:
    """The rule's title, in words."""
    rule = RULES.get(notice.rule)
    return rule.title if rule else "Проверочное оповещение"


def _subject(notices: Sequence[Notice]) -> str:
    if len(notices) == 1:
        return f"Чехов: {HEADS[notices[0].kind].lower()}. {title_of(notices[0])}"
    ended = sum(notice.kind == "recovered" for notice in notices)
    counts = [f"неполадок {len(notices) - ended}"] * (len(notices) > ended) + [f"исправлено {ended}"] * bool(ended)
    return f"Чехов: {', '.join(counts)}"


def _paragraph(notice: Notice, time_zone: int) -> str:
    rows = [f"{HEADS[notice.kind].upper()} · {title_of(notice)}", notice.text]
    if notice.next_step:
        rows.append(f"Что делать: {notice.next_step}")
    if notice.link:
        rows.append(f"{settings.CHEKHOV_BASE_URL}{notice.link}")
    began = notice.opened_ms if notice.opened_ms is not None else notice.at_ms
    rows.append(f"Началось {local_time(began, time_zone)}" if notice.kind != "test" else local_time(began, time_zone))
    return "\n".join(rows)


def _event(notice: Notice) -> dict[str, object]:
    return {
        "id": str(notice.uuid),
        "kind": notice.kind,
        "problem": str(notice.problem.uuid) if notice.problem else None,
        "rule": notice.rule or None,
        "subject": notice.subject,
        "title": title_of(notice),
        "text": notice.text,
        "next_step": notice.next_step,
        "url": f"{settings.CHEKHOV_BASE_URL}{notice.link}" if notice.link else None,
        "urgent": notice.is_urgent,
        "at": instant_of(notice.at_ms).isoformat(),
        "opened_at": instant_of(notice.opened_ms).isoformat() if notice.opened_ms is not None else None,
    }
