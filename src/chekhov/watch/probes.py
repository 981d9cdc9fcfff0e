"""Asking the services whether their queues have a working register, now and then: «Проверить связь» by itself.

Calls the network, so it has a thread of its own and no transaction. One question a queue and period, whichever records
name the queue; a register that people have just checked is not asked again.
"""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.utils import timezone

from chekhov.config.database import read_clock_ms, writing
from chekhov.delivery.lanes import rate_spend
from chekhov.registers.models import Register
from chekhov.registers.secrets import SecretUnreadable
from chekhov.registers.services import register_check
from chekhov.watch.findings import SECRET_UNREADABLE
from chekhov.watch.rules import rules_as_set

log = structlog.get_logger(__name__)

AT_ONCE = 20


def probes_due() -> list[Register]:
    """One register for each queue that has not been asked about for the rule's period; none where the rule is off."""
    rule = next(item for item in rules_as_set() if item.rule.code == "passive_queue")
    if not rule.is_on:
        return []
    border = timezone.now() - timedelta(minutes=rule.threshold)
    rows = Register.objects.filter(archived_at__isnull=True).select_related("account").order_by("pk")
    queues: dict[tuple[int, int], list[Register]] = {}
    for row in rows:
        queues.setdefault((row.account_id, row.queue), []).append(row)
    late = [own for own in queues.values() if all(row.checked_at is None or row.checked_at < border for row in own)]
    late.sort(key=lambda own: max(row.checked_at.timestamp() if row.checked_at else 0 for row in own))
    return [own[0] for own in late[:AT_ONCE]]


def probe(register: Register) -> None:
    """Ask about a queue; every record that names it learns the answer. Paid from the account's rate."""
    try:
        with writing():
            rate_spend(register.account_id, 1, read_clock_ms())
        register_check(register=register)
    except SecretUnreadable:
        register.checked_at, register.check_code = timezone.now(), SECRET_UNREADABLE
        register.check_text = "Secret не расшифровать: ключ шифрования сменился."
        fields = ["checked_at", "check_code", "check_text"]
        register.save(update_fields=fields)
    except Exception:  # ours: it must be loud and must not end the watch
        log.exception("watch.probe_failed", register=register.pk)
        return
    same = Register.objects.filter(
        account_id=register.account_id, queue=register.queue, archived_at__isnull=True
    ).exclude(pk=register.pk)
    same.update(checked_at=register.checked_at, check_code=register.check_code, check_text=register.check_text)
