"""When a receipt is too late to be sent without a person's choice (fiscal-rules 6, R56).

Within a day the ordinary receipt is right. A day (setting `CHEKHOV_LATE_HOURS`) after it was due, by the business
clock, it is not settled which document the law wants: the ordinary one or a correction.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from chekhov.config.clock import now
from chekhov.fiscal.rules import Finding, Severity

SEND = "send"
"""The person's choice of the ordinary receipt, as it stands in `ReceiptState.late_choice`."""
CHOICE = "Решите, что верно: пробить обычный чек с опозданием или оформить чек коррекции."


def cutoff() -> datetime:
    """What was due before this instant is late now."""
    return now() - timedelta(hours=settings.CHEKHOV_LATE_HOURS)


def is_late(due_at: datetime) -> bool:
    """Whether a receipt due then may not go without a person's choice any more."""
    return due_at < cutoff()


def finding(due_at: datetime) -> Finding | None:
    """R56 as the composer tells it: whoever confirms it has chosen the ordinary receipt."""
    if not is_late(due_at):
        return None
    return Finding(
        "R56",
        "RECEIPT_LATE",
        Severity.NOTICE,
        "",
        f"Чек опаздывает больше чем на {settings.CHEKHOV_LATE_HOURS} ч: возможно, нужен чек коррекции.",
        "Подтвердите, если бухгалтер решил пробить обычный чек.",
    )
