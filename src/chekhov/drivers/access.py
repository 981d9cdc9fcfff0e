"""Can a connection be used? A closed list of answers, each with a sentence for the person and the next step."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AccessState(StrEnum):
    """What a check of a connection found out."""

    OK = "ok"
    PASSIVE_QUEUE = "passive_queue"
    WRONG_CREDENTIALS = "wrong_credentials"
    FOREIGN_QUEUE = "foreign_queue"
    REFUSED = "refused"
    NO_SERVICE = "no_service"
    UNREACHABLE = "unreachable"
    NO_ANSWER = "no_answer"
    SERVICE_FAILING = "service_failing"
    NOT_THE_SERVICE = "not_the_service"
    UNCLEAR = "unclear"

    @property
    def usable(self) -> bool:
        """Receipts sent now reach the queue: a passive one keeps them until its register wakes."""
        return self in (AccessState.OK, AccessState.PASSIVE_QUEUE)

    @property
    def sentence(self) -> str:
        return _WORDS[self][0]

    @property
    def next_step(self) -> str:
        return _WORDS[self][1]


@dataclass(frozen=True, slots=True)
class AccessReport:
    """The state found, and where they were told: the queue's own name, the provider's code, the cause."""

    state: AccessState
    queue_name: str = ""
    code: str = ""
    reason: str = ""

    @property
    def sentence(self) -> str:
        return self.state.sentence

    @property
    def next_step(self) -> str:
        return self.state.next_step


_WORDS = {
    AccessState.OK: ("Связь есть, касса на очереди работает.", ""),
    AccessState.PASSIVE_QUEUE: (
        "Связь есть, но на очереди нет работающей кассы.",
        "Включите кассу и её программу связи. Чеки примут и пробьют, когда касса выйдет на связь.",
    ),
    AccessState.WRONG_CREDENTIALS: (
        "Сервис не принял ShopID или Secret.",
        "Скопируйте ShopID и Secret заново из кабинета: «Фискализация → Магазины».",
    ),
    AccessState.FOREIGN_QUEUE: (
        "ShopID и Secret верны, но этой очереди у магазина нет.",
        "Проверьте ID очереди в кабинете: «Фискализация → Кассы».",
    ),
    AccessState.REFUSED: (
        "Сервис отказал в доступе, причину уточнить не удалось.",
        "Проверьте ShopID, Secret и ID очереди в кабинете, затем повторите проверку.",
    ),
    AccessState.NO_SERVICE: (
        "У магазина нет действующей услуги.",
        "Оплатите тариф в кабинете сервиса. Чеки ждут в очереди и уйдут сами.",
    ),
    AccessState.UNREACHABLE: (
        "Не удалось соединиться с сервисом.",
        "Проверьте адрес сервиса, сеть и сертификаты этого сервера.",
    ),
    AccessState.NO_ANSWER: (
        "Сервис не ответил вовремя.",
        "Повторите проверку через минуту; если не поможет, проверьте сеть.",
    ),
    AccessState.SERVICE_FAILING: (
        "Сервис сообщает о сбое или просит подождать.",
        "Повторите проверку через несколько минут. Настройки менять не нужно.",
    ),
    AccessState.NOT_THE_SERVICE: (
        "По этому адресу отвечает не сервис фискализации.",
        "Проверьте адрес сервиса: возможно, ответил прокси-сервер или другой сайт.",
    ),
    AccessState.UNCLEAR: (
        "Сервис ответил так, что вывод сделать нельзя.",
        "Повторите проверку; если ответ не изменится, обратитесь в поддержку сервиса.",
    ),
}
