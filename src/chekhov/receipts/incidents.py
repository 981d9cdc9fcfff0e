"""Incidents: what contradicts the journal and only a person can settle. Opened once, closed with a word."""

from __future__ import annotations

from chekhov.config.clock import now
from chekhov.config.database import affected, execute, instant, writing
from chekhov.errors import Conflict, Invalid
from chekhov.people.models import User
from chekhov.people.services import action_log
from chekhov.receipts.models import Incident

SECOND_DOCUMENT = "second_document"
"""The provider printed under a key that was given up: there may be two documents for one fact."""
FIGURES = "figures"
"""The provider says «done» with figures that cannot be this receipt's."""
UNREADABLE = "unreadable"
"""The stored document cannot be read or said in the provider's protocol: a mistake of the program."""

NEXT_STEPS = {
    SECOND_DOCUMENT: "Сверьте чеки в кабинете сервиса. Лишний документ исправляет бухгалтер.",
    FIGURES: "Найдите чек в кабинете сервиса и сверьте сумму, ФН и ФД. Новый чек не пробивайте, пока не разберётесь.",
    UNREADABLE: "Сообщите разработчикам: нужны номер чека и журнал сервера.",
}


def incident_open(*, receipt_id: int, code: str, text: str) -> None:
    """Note an incident; one that is open already is not repeated."""
    execute(
        "INSERT INTO receipts_incident (receipt_id, code, text, happened_at, closed_at, closed_by, note) "
        "VALUES (%s, %s, %s, %s, NULL, '', '') ON CONFLICT DO NOTHING",
        [receipt_id, code, text[:500], instant(now())],
    )


def incidents_forbid(*, obligation_id: int) -> None:
    """Where an incident of a fact is open, no receipt may be made or tried again. Raises Conflict (`incident_open`)."""
    if Incident.objects.filter(receipt__obligation_id=obligation_id, closed_at__isnull=True).exists():
        raise Conflict(
            "incident_open",
            "По этой оплате, возможно, уже пробит чек: сначала разберите происшествие.",
            next_step="Откройте прежний чек, сверьте его с кабинетом сервиса и закройте происшествие.",
        )


def incident_close(*, incident: Incident, actor: User, note: str, finding: str = "") -> None:
    """Close an incident: somebody has looked into it; `finding` is what he chose.

    Raises Invalid (`note`), Conflict (`incident_closed`).
    """
    note = " ".join(note.split())
    if not 3 <= len(note) <= 300:
        raise Invalid("note", "Напишите, что выяснили: от 3 до 300 символов.", next_step="Заполните поле.")
    note = f"{note} ({finding})" if finding else note
    with writing():
        touched = affected(
            "UPDATE receipts_incident SET closed_at = %s, closed_by = %s, note = %s "
            "WHERE id = %s AND closed_at IS NULL",
            [instant(now()), actor.actor_name, note[:300], incident.pk],
        )
        if not touched:
            raise Conflict("incident_closed", "Это происшествие уже разобрано.", next_step="Обновите страницу.")
        action_log(actor=actor, kind="incident_close", subject=str(incident.receipt.uuid), summary=note)
