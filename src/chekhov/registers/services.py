"""Writing cash-register records: the form of «Онлайн-кассы для фискализации», what it refuses and what it reports."""

from __future__ import annotations

import secrets as random
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from chekhov.config.clock import local_date, now
from chekhov.config.database import writing
from chekhov.directory.models import Organization, Place, Region
from chekhov.directory.selectors import tax_systems_on, vat_mode_on
from chekhov.drivers import registry
from chekhov.drivers.access import AccessReport
from chekhov.drivers.contract import Connection
from chekhov.drivers.errors import UnknownProvider
from chekhov.errors import Fault, Invalid
from chekhov.fiscal.vocabulary import (
    VAT_MODE_LABELS,
    Ffd,
    PaymentMethod,
    PaymentObject,
    RegisterVatRate,
    TaxSystem,
)
from chekhov.people.models import User
from chekhov.people.services import action_log
from chekhov.registers.models import TOPUP_OBJECT_CHOICES, Account, Register
from chekhov.registers.secrets import SecretUnreadable, decrypt, encrypt
from chekhov.registers.standby import Standing, standing_of, unfit
from chekhov.registers.transport import run_once

AddFault = Callable[[str, str, str], None]
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
CREDIT = frozenset({PaymentMethod.PARTIAL_CREDIT, PaymentMethod.CREDIT, PaymentMethod.CREDIT_PAYMENT})


@dataclass(frozen=True, slots=True)
class RegisterContent:
    """The form as filled in. An empty `secret` keeps the one that is set."""

    provider: str
    region_id: int
    name: str
    shop_id: str
    queue: int
    tax_system: TaxSystem
    vat_rate: RegisterVatRate
    secret: str = field(default="", repr=False)
    online_method: PaymentMethod = PaymentMethod.ADVANCE
    topup_method: PaymentMethod = PaymentMethod.ADVANCE
    topup_object: PaymentObject = PaymentObject.PAYMENT
    topup_name: str = "Пополнение баланса"
    active_online: bool = True
    extra_region_ids: frozenset[int] = frozenset()
    print_online: bool = False
    organization_id: int | None = None  # None: the region's
    place_id: int | None = None
    ffd: Ffd = Ffd.V1_2
    internet_only: bool = False
    excise: bool | None = None
    max_lines: int = 100
    allow_zero_lines: bool = False
    service_url: str = ""  # empty: the provider's own
    credit_confirmed: bool = False
    standby_id: int | None = None  # the register that takes the receipts when this one cannot be reached for long
    standby_after_minutes: int = 15


@dataclass(frozen=True, slots=True)
class Saved:
    """The record as saved, and what the person should know: overlaps, gaps, what will be printed."""

    register: Register
    created: bool
    notices: tuple[str, ...]


def register_save(*, content: RegisterContent, actor: User | None, register: Register | None = None) -> Saved:
    """Create or change a record. The account (provider, address, ShopID) is found or made.

    Raises Invalid with every fault found: `unknown_provider`, `required`, `secret_required`, `service_url`,
    `tax_system_ended`, `tax_system_mismatch`, `vat_mismatch`, `credit_needs_confirmation`, `other_organization`,
    `register_other_inn`, `register_other_address`, `clock_moved`, `topup_object`, `max_lines`,
    `standby_after_minutes`, and for a stand-by register those of `registers.standby.unfit`, `standby_itself`.
    """
    faults: list[Fault] = []

    def fault(path: str, code: str, message: str) -> None:
        faults.append(Fault(path, code, message))

    with writing():
        region = Region.objects.select_related("organization").filter(pk=content.region_id).first()
        if region is None:
            fault("region", "required", "Выберите регион.")
            raise _refusal(faults)
        organization = region.organization
        if content.organization_id is not None:
            chosen = Organization.objects.filter(pk=content.organization_id).first()
            if chosen is None:
                fault("organization", "required", "Такой организации нет: выберите её из списка.")
                raise _refusal(faults)
            organization = chosen
        place = Place.objects.filter(pk=content.place_id).first() if content.place_id else None
        service_url = _service_url(content, fault)
        for path, value, limit in (
            ("name", content.name, 100), ("shop_id", content.shop_id, 100), ("topup_name", content.topup_name, 128),
        ):  # fmt: skip
            if not 1 <= len(value.strip()) <= limit:
                fault(path, "required", f"Заполните поле: от 1 до {limit} символов.")
        if content.queue < 1 or content.queue > 2_147_483_647:
            fault("queue", "required", "ID очереди — целое положительное число из кабинета провайдера.")
        if not 1 <= content.max_lines <= 1000:
            fault("max_lines", "max_lines", "Позиций в чеке: от 1 до 1000.")
        if content.topup_object.value not in {value for value, _label in TOPUP_OBJECT_CHOICES}:
            fault("topup_object", "topup_object", "Такой предмет расчёта для пополнения выбрать нельзя.")
        _check_taxes(content, organization, fault)
        if place is not None and place.organization_id != organization.pk:
            fault("place", "other_organization", "Это место расчётов принадлежит другой организации.")
        if {content.online_method, content.topup_method} & CREDIT and not content.credit_confirmed:
            fault(
                "credit_confirmed",
                "credit_needs_confirmation",
                "Выбран кредитный способ расчёта для денег, которые получены до выдачи. Посмотрите, каким будет чек, "
                "и подтвердите выбор.",
            )
        account = Account.objects.filter(
            provider=content.provider, service_url=service_url, shop_id=content.shop_id.strip()
        ).first()
        if account is None and not content.secret:
            fault("secret", "secret_required", "Укажите Secret из кабинета провайдера.")
        if account is not None:
            _check_same_device(content, account, organization, place, register, fault)
        _check_standby(content, account, organization, place, register, fault)
        if faults:
            raise _refusal(faults)
        if account is None:
            account = Account.objects.create(
                provider=content.provider,
                service_url=service_url,
                shop_id=content.shop_id.strip(),
                secret_encrypted=encrypt(content.secret),
                link_token=random.token_urlsafe(24),
            )
            secret_changed = True
        else:
            secret_changed = bool(content.secret) and not _is_secret(account, content.secret)
            if content.secret:
                account.secret_encrypted = encrypt(content.secret)
                account.save(update_fields=["secret_encrypted"])
        created = register is None
        row = register or Register()
        row.region, row.name, row.account, row.queue = region, content.name.strip(), account, content.queue
        row.tax_system, row.vat_rate = content.tax_system.value, content.vat_rate.value
        row.online_method, row.topup_method = content.online_method.value, content.topup_method.value
        row.topup_object, row.topup_name = content.topup_object.value, content.topup_name.strip()
        row.active_online, row.print_online = content.active_online, content.print_online
        row.organization, row.place, row.ffd = organization, place, content.ffd.value
        row.internet_only, row.excise = content.internet_only, content.excise
        row.max_lines, row.allow_zero_lines = content.max_lines, content.allow_zero_lines
        row.standby_id, row.standby_after_minutes = content.standby_id, content.standby_after_minutes
        row.credit_confirmed = content.credit_confirmed and bool({content.online_method, content.topup_method} & CREDIT)
        row.save()
        row.extra_regions.set(content.extra_region_ids - {region.pk})
        action_log(
            actor=actor,
            kind="register_create" if created else "register_change",
            subject=str(row.uuid),
            summary=f"«{row.name}»" + (", Secret заменён" if secret_changed and not created else ""),
        )
        return Saved(row, created, tuple(_notices(row, account, secret_changed and not created)))


def register_archive(*, register: Register, actor: User) -> None:
    """Take a record out of use. Its receipts stay, and what is queued is still sent."""
    with writing():
        if register.archived_at is None:
            register.archived_at = timezone.now()
            register.save(update_fields=["archived_at"])
            action_log(actor=actor, kind="register_archive", subject=str(register.uuid), summary=f"«{register.name}»")


def register_check(*, register: Register) -> AccessReport:
    """«Проверить связь»: ask the provider whether this account and queue can be used. Calls the network."""
    report = run_once(registry.get(register.account.provider).driver.check_access(connection_of(register)))
    register.checked_at = timezone.now()
    register.check_code, register.check_text = report.state.value, report.sentence[:300]
    register.save(update_fields=["checked_at", "check_code", "check_text"])
    return report


def clock_checked() -> None:
    """Refuse to run with a moved clock while a register is live. Raises Invalid (`clock_moved`)."""
    if settings.CHEKHOV_CLOCK is None:
        return
    emulated = [provider.code for provider in registry.available() if provider.is_emulator]
    live = Register.objects.filter(archived_at__isnull=True).exclude(account__provider__in=emulated).first()
    if live is not None:
        raise Invalid(
            "clock_moved",
            f"Часы переведены настройкой CHEKHOV_CLOCK, а касса «{live.name}» настоящая.",
            next_step="Уберите CHEKHOV_CLOCK или отключите кассу.",
        )


def connection_of(register: Register) -> Connection:
    """What a driver needs to reach the register. Raises SecretUnreadable."""
    account = register.account
    return Connection(
        service_url=account.service_url,
        shop_id=account.shop_id,
        secret=decrypt(account.secret_encrypted),
        queue=register.queue,
    )


def notification_link(account: Account) -> str:
    """«Ссылка для уведомлений»: what the shop pastes into the provider's cabinet."""
    return f"{settings.CHEKHOV_BASE_URL}/hooks/{account.provider}/{account.link_token}"


def secrets_reencrypt() -> int:
    """Encrypt every stored secret anew with the first key, so that older keys can go. Raises SecretUnreadable."""
    with writing():
        accounts = list(Account.objects.select_for_update().order_by("pk"))
        for account in accounts:
            account.secret_encrypted = encrypt(decrypt(account.secret_encrypted))
            account.save(update_fields=["secret_encrypted"])
        return len(accounts)


def _is_secret(account: Account, secret: str) -> bool:
    """Whether this is the secret that is stored; one that cannot be read any more is not."""
    try:
        return decrypt(account.secret_encrypted) == secret
    except SecretUnreadable:
        return False


def _refusal(faults: list[Fault]) -> Invalid:
    first = faults[0]
    return Invalid(first.code, first.message, next_step="Исправьте отмеченные поля и сохраните ещё раз.", faults=faults)


def _service_url(content: RegisterContent, fault: AddFault) -> str:
    try:
        provider = registry.get(content.provider)
    except UnknownProvider:
        fault("provider", "unknown_provider", "Такого провайдера нет.")
        return ""
    url = content.service_url.strip().rstrip("/") or provider.service_url or settings.CHEKHOV_EMULATOR_URL
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        fault("service_url", "service_url", "Адрес сервиса: https://имя без параметров.")
    elif len(url) > 200:
        fault("service_url", "service_url", "Адрес сервиса не длиннее 200 символов.")
    elif provider.is_emulator and not (url == settings.CHEKHOV_EMULATOR_URL or parts.hostname in _LOOPBACK):
        fault(
            "service_url",
            "service_url",
            "«Тестовая касса» живёт на этом же компьютере: адрес вида http://127.0.0.1:8090.",
        )
    elif parts.scheme == "http" and not provider.is_emulator and parts.hostname not in _LOOPBACK:
        fault("service_url", "service_url", "Адрес сервиса должен начинаться с https://.")
    if settings.CHEKHOV_CLOCK is not None and not provider.is_emulator:
        fault("provider", "clock_moved", "Часы переведены настройкой CHEKHOV_CLOCK: настоящую кассу подключать нельзя.")
    return url


def _check_taxes(content: RegisterContent, organization: Organization, fault: AddFault) -> None:
    """VAT has one master, the organization: fields 5 and 6 must agree with it on the day of saving."""
    today = local_date(now(), organization.time_zone)
    systems = tax_systems_on(organization, today)
    mode = vat_mode_on(organization, today)
    if content.tax_system is TaxSystem.ENVD:
        fault(
            "tax_system",
            "tax_system_ended",
            "ЕНВД отменён с 1 января 2021 года. Чек коррекции за период ЕНВД делают в кабинете провайдера.",
        )
    elif content.tax_system not in systems:
        have = ", ".join(item.label for item in systems) or "не заданы"
        fault(
            "tax_system",
            "tax_system_mismatch",
            f"В кассе выбрано «{content.tax_system.label}», а у организации «{organization.name}» сегодня: {have}.",
        )
    if mode is None:
        fault("vat_rate", "vat_mismatch", f"У организации «{organization.name}» не задан режим НДС на сегодня.")
    elif mode not in content.vat_rate.vat_modes:
        fault(
            "vat_rate",
            "vat_mismatch",
            f"В кассе выбрано «{content.vat_rate.label}», а у организации «{organization.name}» сегодня: "
            f"{VAT_MODE_LABELS[mode]}.",
        )


def _check_same_device(
    content: RegisterContent,
    account: Account,
    organization: Organization,
    place: Place | None,
    register: Register | None,
    fault: AddFault,
) -> None:
    """Records with one ShopID and queue are one physical register: one ИНН, one address of settlement."""
    others = Register.objects.filter(account=account, queue=content.queue, archived_at__isnull=True)
    if register is not None:
        others = others.exclude(pk=register.pk)
    for other in others.select_related("organization", "place"):
        if other.organization.inn != organization.inn:
            fault(
                "queue",
                "register_other_inn",
                f"Эта очередь уже записана как «{other.name}» с ИНН {other.organization.inn}; у выбранной организации "
                f"ИНН {organization.inn}.",
            )
        address, other_address = place.address if place else "", other.place.address if other.place else ""
        if address and other_address and address != other_address:
            fault(
                "place",
                "register_other_address",
                f"Эта очередь уже записана как «{other.name}» по адресу «{other_address}».",
            )


def _check_standby(
    content: RegisterContent,
    account: Account | None,
    organization: Organization,
    place: Place | None,
    register: Register | None,
    fault: AddFault,
) -> None:
    """The stand-by register must be able to take this register's documents exactly as they are."""
    if not 1 <= content.standby_after_minutes <= 1440:
        fault("standby_after_minutes", "standby_after_minutes", "Через сколько минут переводить: от 1 до 1440.")
    if content.standby_id is None:
        return
    other = Register.objects.select_related("place").filter(pk=content.standby_id).first()
    if other is None or (register is not None and other.pk == register.pk):
        fault("standby", "standby_itself", "Резервной выбирают другую кассу.")
        return
    first = Standing(
        id=register.pk if register is not None else None,
        account_id=account.pk if account is not None else None,
        queue=content.queue,
        organization_id=organization.pk,
        region_ids={content.region_id, *content.extra_region_ids},
        tax_system=content.tax_system.value,
        place=(place.name, place.address, place.time_zone) if place is not None else ("", "", None),
        ffd=content.ffd.value,
        internet_only=content.internet_only,
        excise=content.excise,
        max_lines=content.max_lines,
        allow_zero_lines=content.allow_zero_lines,
    )
    problem = unfit(first, standing_of(other))
    if problem is not None:
        fault("standby", *problem)


def _notices(register: Register, account: Account, secret_replaced: bool) -> list[str]:
    """Overlaps and gaps of the automatic receipts after saving."""
    found: list[str] = []
    for other in register.stands_by_for.filter(archived_at__isnull=True).select_related("place").order_by("pk"):
        problem = unfit(standing_of(other), standing_of(register))
        if problem is not None:
            found.append(f"Эта касса записана резервной для «{other.name}», но больше не подходит. {problem[1]}")
    if secret_replaced and account.registers.exclude(pk=register.pk).exists():
        found.append("Secret заменён для всех касс с этим ShopID.")
    same = account.registers.filter(queue=register.queue, archived_at__isnull=True).exclude(pk=register.pk)
    for other in same:
        found.append(f"Это та же физическая касса, что и «{other.name}» (ShopID и очередь совпадают).")
    active = list(
        Register.objects.filter(archived_at__isnull=True, active_online=True)
        .select_related("region")
        .prefetch_related("extra_regions")
        .order_by("pk")
    )
    if register.active_online:
        own = {register.region_id, *register.extra_regions.values_list("pk", flat=True)}
        for other in active:
            shared = own & {other.region_id, *(region.pk for region in other.extra_regions.all())}
            if other.pk == register.pk or other.organization_id != register.organization_id or not shared:
                continue
            names = ", ".join(Region.objects.filter(pk__in=shared).order_by("name").values_list("name", flat=True))
            found.append(
                f"Регионы «{names}» обслуживает и касса «{other.name}»: "
                "чеки берёт касса самого региона, затем более ранняя."
            )
    served = {
        (region_id, item.organization_id)
        for item in active
        for region_id in (item.region_id, *(region.pk for region in item.extra_regions.all()))
    }
    bare = [
        region.name for region in Region.objects.order_by("name") if (region.pk, region.organization_id) not in served
    ]
    if bare:
        found.append(f"Без кассы для онлайн оплат остались регионы: {', '.join(bare)}.")
    return found
