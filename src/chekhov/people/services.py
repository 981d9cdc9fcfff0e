"""Sources, API keys and the journal of people's actions."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils import timezone

from chekhov.config.database import writing
from chekhov.errors import Conflict, Fault, Invalid
from chekhov.fiscal.inn import is_person_inn
from chekhov.people.models import Action, ApiKey, Source, User

PANEL_SOURCE = "panel"


def source_get(code: str, *, name: str = "") -> Source:
    """The source with this code, made if there is none."""
    return Source.objects.get_or_create(code=code, defaults={"name": name or code})[0]


def panel_source() -> Source:
    """The source of what people type into the panel."""
    return source_get(PANEL_SOURCE, name="Панель")


def apikey_create(*, source: Source, name: str) -> tuple[ApiKey, str]:
    """A new key of a source; the text is given once and never again."""
    key = f"chk_{secrets.token_urlsafe(32)}"
    row = ApiKey.objects.create(source=source, name=name, prefix=key[:10], digest=apikey_digest(key))
    return row, key


def apikey_digest(key: str) -> str:
    """What is kept of a key. It has 256 random bits, so a fast hash without salt is enough."""
    return hashlib.sha256(key.encode()).hexdigest()


def apikey_revoke(*, key: ApiKey) -> None:
    """The key opens nothing from now on."""
    if key.revoked_at is None:
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])


def action_log(*, actor: User | None, kind: str, subject: str = "", summary: str = "", **details: Any) -> None:
    """Write one line into the journal of actions."""
    Action.objects.create(
        at=timezone.now(), actor=actor, kind=kind, subject=subject[:120], summary=summary[:500], details=details
    )


# --- what people edit -------------------------------------------------------------------------------------------------


def apikey_issue(*, source_code: str, source_name: str, name: str, actor: User | None) -> tuple[ApiKey, str]:
    """A new key for a shop's source, made if there is none; the key's text is given once and never again.

    Raises Invalid (`source`, `name`).
    """
    code, name = source_code.strip(), " ".join(name.split())
    faults: list[Fault] = []
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", code):
        faults.append(Fault("source", "source", "Код источника: от 1 до 40 латинских букв, цифр, дефисов."))
    if code == PANEL_SOURCE:
        faults.append(Fault("source", "source", "Код «panel» занят самой панелью: придумайте другой."))
    if not 1 <= len(name) <= 100:
        faults.append(Fault("name", "name", "Название ключа: от 1 до 100 символов."))
    _refuse(faults)
    with writing():
        source = source_get(code, name=" ".join(source_name.split())[:100])
        row, key = apikey_create(source=source, name=name)
        action_log(
            actor=actor, kind="apikey_create", subject=str(row.uuid), summary=f"«{row.name}», источник «{source.name}»"
        )
        return row, key


def apikey_withdraw(*, key: ApiKey, actor: User | None) -> None:
    """Revoke a key, with a line in the journal. Revoking twice writes one line."""
    with writing():
        if key.revoked_at is None:
            apikey_revoke(key=key)
            action_log(actor=actor, kind="apikey_revoke", subject=str(key.uuid), summary=f"«{key.name}»")


@dataclass(frozen=True, slots=True)
class UserContent:
    """A person as filled in. An empty password keeps the one that is set."""

    username: str
    last_name: str = ""
    first_name: str = ""
    position: str = ""
    inn: str = ""
    is_active: bool = True
    password: str = field(default="", repr=False)


def user_save(*, content: UserContent, actor: User | None, user: User | None = None) -> User:
    """Create or change a person who works in the panel.

    Raises Invalid with every fault found: `username`, `username_taken`, `name`, `inn`, `password`, `self_off`,
    `not_allowed`.
    """
    faults: list[Fault] = []
    username = content.username.strip()
    if not re.fullmatch(r"[\w.@+-]{1,150}", username):
        faults.append(Fault("username", "username", "Имя для входа: буквы, цифры и знаки @ . + - _, не длиннее 150."))
    texts = {name: " ".join(getattr(content, name).split()) for name in ("last_name", "first_name", "position")}
    for name, limit in (("last_name", 150), ("first_name", 150), ("position", 32)):
        if len(texts[name]) > limit:
            faults.append(Fault(name, "name", f"Не длиннее {limit} символов."))
    inn = content.inn.strip()
    if inn and not is_person_inn(inn):
        faults.append(Fault("inn", "inn", "ИНН кассира: 12 цифр, контрольные цифры должны сойтись."))
    if user is not None and user == actor and not content.is_active:
        faults.append(Fault("is_active", "self_off", "Себе вход закрыть нельзя: попросите другого администратора."))
    if user is not None and user.is_superuser and not (actor is not None and actor.is_superuser):
        faults.append(Fault("username", "not_allowed", "Администратора может изменить только администратор."))
    with writing():
        row = user or User(is_staff=True)
        if User.objects.filter(username=username).exclude(pk=row.pk).exists():
            faults.append(Fault("username", "username_taken", "Это имя для входа уже занято."))
        row.username, row.inn, row.is_active = username, inn, content.is_active
        row.last_name, row.first_name, row.position = texts["last_name"], texts["first_name"], texts["position"]
        if content.password:
            try:
                validate_password(content.password, row)
            except ValidationError as error:
                faults += [Fault("password", "password", message) for message in error.messages]
        elif user is None:
            faults.append(Fault("password", "password", "Задайте пароль."))
        _refuse(faults)
        if content.password:
            row.set_password(content.password)
        row.save()
        action_log(
            actor=actor,
            kind="user_change" if user else "user_create",
            subject=str(row.pk),
            summary=f"{row.username}" + (", пароль задан" if content.password else ""),
            is_active=row.is_active,
        )
        return row


def _refuse(faults: list[Fault]) -> None:
    if faults:
        raise Invalid(
            faults[0].code, faults[0].message, next_step="Исправьте отмеченные поля и сохраните ещё раз.", faults=faults
        )


def admin_create(*, username: str, password: str) -> User:
    """A person who may do everything. Raises Conflict (`username_taken`), Invalid (`password`)."""
    if User.objects.filter(username=username).exists():
        raise Conflict("username_taken", f"Пользователь «{username}» уже есть.", next_step="Выберите другое имя.")
    try:
        validate_password(password, User(username=username))
    except ValidationError as error:
        raise Invalid("password", " ".join(error.messages), next_step="Придумайте другой пароль.") from error
    return User.objects.create_superuser(username, password=password)
