"""How the service says no: one exception that carries the HTTP status and the three fields of an error body."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """An answer other than 200.

    ``code`` is the stable part (``AUT00``, ``SRV00``, ``SYS00``, ``VLD00``, ``VLD11`` … ``VLD13``); the texts are for
    people. ``extra`` is merged into the body (the task of a duplicate).
    """

    def __init__(
        self, status: int, code: str, title: str, description: str = "", extra: dict[str, Any] | None = None
    ) -> None:
        super().__init__(f"{status} {code}: {title} {description}")
        self.status = status
        self.code = code
        self.title = title
        self.description = description
        self.extra = extra

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        body: dict[str, Any] = {"title": self.title, "code": self.code, "description": self.description}
        if self.extra:
            body.update(self.extra)
        return body


def unauthorised(status: int = 403) -> Refusal:
    """Shop id, signature or queue is not this shop's; the answer does not say which."""
    return Refusal(
        status,
        "AUT00",
        "Ошибка авторизации",
        "Проверьте идентификатор магазина, секретный ключ, подпись запроса и идентификатор очереди",
    )


def no_service(status: int) -> Refusal:
    """The account has no active service."""
    return Refusal(status, "SRV00", "Нет активной услуги", "Продлите тариф в личном кабинете")


def invalid(description: str, *, code: str = "VLD00", status: int = 422) -> Refusal:
    """The receipt was not accepted; ``description`` is ``path->0->key: reason``."""
    titles = {
        "VLD00": "Ошибка валидации данных",
        "VLD12": "Цена позиции содержит доли копейки",
        "VLD13": "Неверная стоимость позиции",
    }
    return Refusal(status, code, titles[code], description)


def duplicate(external_id: str, task: dict[str, Any] | None) -> Refusal:
    """A receipt with this ``external_id`` was accepted earlier."""
    return Refusal(
        422,
        "VLD11",
        f"Чек с внешнем идентификатором {external_id} существует",
        "Проверьте идентификатор операции: он должен быть уникальным",
        {"task": task} if task is not None else None,
    )


def not_found(status: int, what: str) -> Refusal:
    """The object does not exist or belongs to another shop."""
    if status == 403:
        return unauthorised()
    return Refusal(status, "VLD00", f"{what} не найден", "Проверьте идентификатор")


def internal_error() -> Refusal:
    """The application itself failed; whether the receipt was stored is unknown to the client."""
    return Refusal(500, "SYS00", "Внутренняя ошибка сервиса", "Повторите запрос позднее")
