"""What a person sets of a register's lane: its limits, and the stop. Both stand in the database: every worker obeys."""

from __future__ import annotations

from dataclasses import dataclass

from chekhov.config.database import read_clock_ms, writing
from chekhov.delivery.lanes import LIVE_IN_FLIGHT, UNLIMITED_IN_FLIGHT, lane_ensure
from chekhov.delivery.models import Lane, Pace
from chekhov.drivers import registry
from chekhov.errors import Conflict, Fault, Invalid
from chekhov.people.models import User
from chekhov.people.services import action_log
from chekhov.registers.models import Register
from chekhov.registers.services import RegisterContent, Saved, register_save

RATE_MOST = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a register is asked at once (its queue) and how often (its account, all queues and polls together)."""

    in_flight_max: int  # 1..1000; 1000 is without a limit
    rate_per_second: int  # 0 is without a limit, for «Тестовая касса» only


def limits_default(provider_code: str) -> Limits:
    """The limits of a beginning."""
    provider = registry.get(provider_code)
    if provider.is_emulator:
        return Limits(UNLIMITED_IN_FLIGHT, 0)
    return Limits(LIVE_IN_FLIGHT, provider.driver.capabilities.requests_per_second)


def limits_of(register: Register) -> Limits:
    """The limits as they are now."""
    usual = limits_default(register.account.provider)
    lane = Lane.objects.filter(account_id=register.account_id, queue=register.queue).first()
    pace = Pace.objects.filter(account_id=register.account_id).first()
    return Limits(
        lane.in_flight_max if lane is not None else usual.in_flight_max,
        pace.rate_per_second if pace is not None else usual.rate_per_second,
    )


def register_put(
    *, content: RegisterContent, limits: Limits, actor: User | None, register: Register | None = None
) -> Saved:
    """Save a record together with the limits of its queue and account.

    Raises what `register_save` raises; Invalid (`in_flight_max`, `rate_per_second`).
    """
    faults: list[Fault] = []
    if not 1 <= limits.in_flight_max <= UNLIMITED_IN_FLIGHT:
        faults.append(Fault("in_flight_max", "in_flight_max", f"От 1 до {UNLIMITED_IN_FLIGHT}."))
    provider = next((item for item in registry.available() if item.code == content.provider), None)
    least = 0 if provider is not None and provider.is_emulator else 1
    if not least <= limits.rate_per_second <= RATE_MOST:
        faults.append(Fault("rate_per_second", "rate_per_second", f"От {least} до {RATE_MOST} запросов в секунду."))
    if faults:
        step = "Исправьте отмеченные поля и сохраните ещё раз."
        raise Invalid(faults[0].code, faults[0].message, next_step=step, faults=faults)
    with writing():
        before = limits_of(register) if register is not None else None
        saved = register_save(content=content, actor=actor, register=register)
        row = saved.register
        lane_ensure(row.account_id, row.queue, row.account.provider)
        Lane.objects.filter(account_id=row.account_id, queue=row.queue).update(in_flight_max=limits.in_flight_max)
        Pace.objects.filter(account_id=row.account_id).update(rate_per_second=limits.rate_per_second)
        if before is not None and before != limits:
            summary = f"одновременно {limits.in_flight_max}, запросов в секунду {limits.rate_per_second}"
            action_log(actor=actor, kind="register_limits", subject=str(row.uuid), summary=f"«{row.name}»: {summary}")
        return saved


def lane_stop(*, register: Register, actor: User, reason: str, with_polls: bool = False) -> None:
    """«Приостановить»: nothing more is sent to this register's queue, by whichever record and worker.

    What was sent is still asked about by its task's number, unless `with_polls`. A repeat under the same key waits as
    well: it may make a document. Raises Invalid (`reason`), Conflict (`already_stopped`).
    """
    reason = _checked_reason(reason)
    with writing():
        lane_ensure(register.account_id, register.queue, register.account.provider)
        touched = Lane.objects.filter(account_id=register.account_id, queue=register.queue, stopped_ms=0).update(
            stopped_ms=read_clock_ms(), stopped_by=actor.actor_name, stopped_why=reason, stops_polls=with_polls
        )
        if not touched:
            raise Conflict(
                "already_stopped", "Отправка на эту кассу уже приостановлена.", next_step="Обновите страницу."
            )
        action_log(
            actor=actor,
            kind="lane_stop",
            subject=str(register.uuid),
            summary=f"«{register.name}»: {reason}",
            with_polls=with_polls,
        )


def lane_resume(*, register: Register, actor: User, reason: str) -> None:
    """«Возобновить». Raises Invalid (`reason`), Conflict (`not_stopped`)."""
    reason = _checked_reason(reason)
    with writing():
        touched = (
            Lane.objects.filter(account_id=register.account_id, queue=register.queue)
            .exclude(stopped_ms=0)
            .update(stopped_ms=0, stopped_by="", stopped_why="", stops_polls=False)
        )
        if not touched:
            raise Conflict("not_stopped", "Отправка на эту кассу не приостановлена.", next_step="Обновите страницу.")
        action_log(actor=actor, kind="lane_resume", subject=str(register.uuid), summary=f"«{register.name}»: {reason}")


def _checked_reason(reason: str) -> str:
    reason = " ".join(reason.split())
    if not 3 <= len(reason) <= 300:
        raise Invalid("reason", "Напишите причину: от 3 до 300 символов.", next_step="Заполните причину.")
    return reason
