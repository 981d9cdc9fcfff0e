"""What a person does about a receipt in each state. The provider's words are kept beside it, never instead of it."""

from __future__ import annotations

from chekhov.delivery.selectors import NEXT_STEPS
from chekhov.drivers import registry
from chekhov.drivers.errors import UnknownProvider
from chekhov.receipts.models import ReceiptState
from chekhov.receipts.states import State

TROUBLE = (State.FAILED.value, State.REFUSED.value, State.UNKNOWN.value)

_STEPS = {
    State.QUEUED: "Ничего делать не нужно: чек уйдёт в кассу сам.",
    State.SENDING: "Подождите: запрос к кассе уже идёт.",
    State.ACCEPTED: "Подождите: сервис кассы принял чек и печатает его. Это ещё не фискальный документ.",
    State.FISCALIZED: "",
    State.FAILED: "Устраните причину (бумага, питание, связь кассы) и нажмите «Пробить ещё раз».",
    State.REFUSED: "Касса не приняла документ. Отмените чек с причиной и пробейте новый с исправленными данными.",
    State.UNKNOWN: "Ответ потерян. Чехов сам спросит кассу под тем же ключом; второй чек не пробивайте.",
    State.CANCELLED: "Если деньги получены, пробейте новый чек: он ждёт в списке «Оплачено без чека».",
}


def next_step_of(state: ReceiptState) -> str:
    """What to do now about a receipt."""
    if state.wanted == "retry":
        return "Повтор заказан: касса ещё раз проверит старое задание, и чек уйдёт снова."
    if state.wanted == "cancel":
        return "Отмена заказана: касса ещё раз проверит старое задание, и чек будет отменён."
    if state.error_code in NEXT_STEPS and State(state.state) in (State.QUEUED, State.UNKNOWN, State.ACCEPTED):
        return NEXT_STEPS[state.error_code]
    return _STEPS[State(state.state)]


def provider_title(code: str) -> str:
    """The provider's name for people."""
    try:
        return registry.get(code).title
    except UnknownProvider:
        return code
