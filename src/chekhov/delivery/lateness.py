"""Late receipts stop in the queue: nothing is sent until a person has chosen between the ordinary one and a correction.

Only what was never taken by the provider is held; an outcome that is unknown is always asked about, late or not. When
a receipt is late: `chekhov.receipts.lateness`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from chekhov.config.database import instant
from chekhov.delivery.selectors import LATE
from chekhov.receipts import writer
from chekhov.receipts.lateness import cutoff

HOLD_AT_ONCE = 500
TEXT = "Чек опоздал больше чем на {hours} ч: без решения человека он не уходит."


def cutoff_parameter() -> Any:
    """What was due before this instant is late now, as a parameter of hand-written SQL."""
    return instant(cutoff())


def hold(heads: Sequence[writer.Head]) -> None:
    """Queued receipts stop here until a person has chosen. Must run inside a transaction."""
    text = TEXT.format(hours=settings.CHEKHOV_LATE_HOURS)
    writer.amend(
        [writer.Amendment(head, "held_late", text, due_in_ms=None, error_code=LATE, error_text=text) for head in heads],
        actor="delivery",
    )
