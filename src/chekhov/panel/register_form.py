"""The form of a register record: the fourteen fields in their order, the rest folded, and what will be printed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from chekhov.delivery.limits import Limits, limits_default, limits_of, register_put
from chekhov.directory.models import Organization, Place, Region
from chekhov.drivers import registry
from chekhov.drivers.contract import Provider
from chekhov.drivers.errors import UnknownProvider
from chekhov.errors import Refusal
from chekhov.fiscal.vocabulary import Ffd, PaymentMethod, PaymentObject, RegisterVatRate, TaxSystem
from chekhov.panel.forms import PanelForm
from chekhov.panel.pages import actor, noted, page, part, staff, told
from chekhov.panel.printed import method_words, sample_receipts
from chekhov.registers.models import METHOD_CHOICES, TOPUP_OBJECT_CHOICES, VAT_RATE_CHOICES, Register
from chekhov.registers.secrets import SecretUnreadable
from chekhov.registers.services import RegisterContent

EXCISE_CHOICES = [("", "Неизвестно"), ("yes", "Да"), ("no", "Нет")]


def _number(
    label: str, choices: list[tuple[int, str]], initial: int | None = None, **options: Any
) -> forms.TypedChoiceField:
    first = [] if initial is not None else [("", "Выберите…")]
    return forms.TypedChoiceField(label=label, choices=[*first, *choices], coerce=int, initial=initial, **options)


class RegisterForm(PanelForm):
    """Fields 1-14 of the register's settings, then «Дополнительно»."""

    region = forms.ModelChoiceField(
        label="Регион",
        queryset=Region.objects.none(),
        empty_label="Выберите регион…",
        help_text="Касса и клиент должны быть из одного региона: это проверяется, когда составляется чек.",
    )
    name = forms.CharField(
        label="Название", max_length=100, help_text="Как эту кассу называют у вас: «Магазин на Ленина»."
    )
    shop_id = forms.CharField(
        label="ShopID", max_length=100, help_text="Идентификатор магазина из кабинета: «Фискализация → Магазины»."
    )
    secret = forms.CharField(
        label="Secret",
        required=False,
        strip=True,
        max_length=255,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="Секретный ключ того же магазина. Хранится зашифрованным и больше не показывается. Если касса с этим "
        "ShopID уже подключена, поле можно оставить пустым.",
    )
    tax_system = _number("Система налогообложения при онлайн оплатах", TaxSystem.choices())
    vat_rate = forms.ChoiceField(
        label="Ставка налога",
        choices=[("", "Выберите…"), *VAT_RATE_CHOICES],
        help_text="Выбор задаёт вид ставки; что будет напечатано, зависит ещё от способа расчёта и даты.",
    )
    queue = forms.IntegerField(
        label="ID очереди",
        min_value=1,
        max_value=2_147_483_647,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        help_text="Целое число из кабинета: «Фискализация → Кассы».",
    )
    online_method = _number("Способ расчёта при онлайн оплатах", METHOD_CHOICES, PaymentMethod.ADVANCE.value)
    topup_method = _number("Способ расчёта при пополнении баланса", METHOD_CHOICES, PaymentMethod.ADVANCE.value)
    topup_object = _number("Предмет расчёта при пополнении баланса", TOPUP_OBJECT_CHOICES, PaymentObject.PAYMENT.value)
    topup_name = forms.CharField(
        label="Название позиции при пополнении баланса", max_length=128, initial="Пополнение баланса"
    )
    active_online = forms.BooleanField(
        label="Активен при онлайн оплатах",
        required=False,
        initial=True,
        help_text="Включено: оплаченный счёт сам получает чек. Выключено: чек пробивает человек из панели.",
    )
    extra_regions = forms.ModelMultipleChoiceField(
        label="Дополнительные регионы для онлайн оплат",
        queryset=Region.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Для каких ещё регионов эта касса пробивает чеки сама.",
    )
    print_online = forms.BooleanField(
        label="Печатать чек при онлайн оплате",
        required=False,
        help_text="Включено: чек за покупку на сайте печатается и на бумаге.",
    )
    organization = forms.ModelChoiceField(
        label="Организация", queryset=Organization.objects.none(), required=False, empty_label="Организация региона"
    )
    place = forms.ModelChoiceField(
        label="Место, где стоит касса",
        queryset=Place.objects.none(),
        required=False,
        empty_label="Не указано",
        help_text="Адрес и часовой пояс чека. Одна касса (ShopID и очередь) стоит по одному адресу.",
    )
    ffd = _number("Версия ФФД", Ffd.choices(), Ffd.V1_2.value)
    service_url = forms.CharField(label="Адрес сервиса", required=False, max_length=200)
    internet_only = forms.BooleanField(
        label="Только для расчётов в интернете", required=False, help_text="Признак 1108: наличные касса не принимает."
    )
    excise = forms.ChoiceField(label="Зарегистрирована для подакцизных товаров", choices=EXCISE_CHOICES, required=False)
    max_lines = forms.IntegerField(
        label="Позиций в чеке, не больше",
        min_value=1,
        max_value=1000,
        initial=100,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )
    allow_zero_lines = forms.BooleanField(label="Принимает позиции по нулевой цене", required=False)
    in_flight_max = forms.IntegerField(
        label="Чеков одновременно, не больше",
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
        help_text="Сколько чеков этой очереди может отправляться сразу. 1000 — без ограничения.",
    )
    rate_per_second = forms.IntegerField(
        label="Запросов в секунду, не больше",
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
        help_text="Общий предел для всех касс с этим ShopID, вопросы об исходе тоже считаются. Для КОМТЕТ — 5.",
    )
    standby = forms.ModelChoiceField(
        label="Резервная касса",
        queryset=Register.objects.none(),
        required=False,
        empty_label="Нет",
        help_text="Пробьёт чеки, которых у этой кассы точно нет, если она долго недоступна. Организация, регионы, "
        "место и налоги у касс должны совпадать.",
    )
    standby_after_minutes = forms.IntegerField(
        label="Переводить на резервную через, минут",
        required=False,
        min_value=1,
        max_value=1440,
        initial=15,
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )
    credit_confirmed = forms.BooleanField(
        label="Я посмотрел, каким будет чек, и подтверждаю кредитный способ расчёта", required=False
    )

    MAIN = (
        "region", "name", "shop_id", "secret", "tax_system", "vat_rate", "queue", "online_method", "topup_method",
        "topup_object", "topup_name", "active_online", "extra_regions", "print_online",
    )  # fmt: skip
    EXTRA = (
        "organization", "place", "ffd", "service_url", "internet_only", "excise", "max_lines", "allow_zero_lines",
        "in_flight_max", "rate_per_second", "standby", "standby_after_minutes",
    )  # fmt: skip

    def __init__(self, *args: Any, provider: Provider, register: Register | None = None, **kwargs: Any) -> None:
        if register is not None:
            kwargs["initial"] = _initial(register)
        else:
            url = settings.CHEKHOV_EMULATOR_URL if provider.is_emulator else ""
            usual = limits_default(provider.code)
            kwargs["initial"] = {
                "service_url": url,
                "in_flight_max": usual.in_flight_max,
                "rate_per_second": usual.rate_per_second,
            }
        super().__init__(*args, **kwargs)
        regions = Region.objects.order_by("name")
        for name, rows in (
            ("region", regions),
            ("extra_regions", regions),
            ("organization", Organization.objects.order_by("name")),
            ("place", Place.objects.order_by("name")),
            (
                "standby",
                Register.objects.filter(archived_at__isnull=True)
                .exclude(pk=register.pk if register is not None else 0)
                .order_by("name", "pk"),
            ),
        ):
            self.fields[name].queryset = rows  # type: ignore[attr-defined]
        self.fields["service_url"].help_text = (
            f"Пусто: {provider.service_url}." if provider.service_url else "Адрес эмулятора, который печатает чеки."
        )
        if register is not None:
            self.fields["secret"].widget.attrs["placeholder"] = "задан"
            self.fields[
                "secret"
            ].help_text = "Задан. Оставьте поле пустым, чтобы не менять; впишите новый, чтобы заменить."
        ask = {
            "hx-get": reverse("panel:register_printed"),
            "hx-target": "#printed",
            "hx-sync": "closest form:replace",  # a late answer to an earlier choice is not shown
            "hx-trigger": "change",
        }
        ask["hx-include"] = ", ".join(f"[name={name}]" for name in PRINTED_FIELDS)
        for name in PRINTED_FIELDS:
            self.fields[name].widget.attrs.update(ask)

    def content(self, provider: str) -> RegisterContent:
        """The form as the service takes it."""
        data = self.cleaned_data
        return RegisterContent(
            provider=provider,
            region_id=data["region"].pk,
            name=data["name"],
            shop_id=data["shop_id"],
            secret=data["secret"],
            tax_system=TaxSystem(data["tax_system"]),
            vat_rate=RegisterVatRate(data["vat_rate"]),
            queue=data["queue"],
            online_method=PaymentMethod(data["online_method"]),
            topup_method=PaymentMethod(data["topup_method"]),
            topup_object=PaymentObject(data["topup_object"]),
            topup_name=data["topup_name"],
            active_online=data["active_online"],
            extra_region_ids=frozenset(region.pk for region in data["extra_regions"]),
            print_online=data["print_online"],
            organization_id=data["organization"].pk if data["organization"] else None,
            place_id=data["place"].pk if data["place"] else None,
            ffd=Ffd(data["ffd"]),
            service_url=data["service_url"],
            internet_only=data["internet_only"],
            excise={"yes": True, "no": False}.get(data["excise"]),
            max_lines=data["max_lines"],
            allow_zero_lines=data["allow_zero_lines"],
            credit_confirmed=data["credit_confirmed"],
            standby_id=data["standby"].pk if data["standby"] else None,
            standby_after_minutes=data["standby_after_minutes"] or 15,
        )

    def limits(self, usual: Limits) -> Limits:
        """The limits as filled in; an empty field keeps what is."""
        in_flight, rate = self.cleaned_data["in_flight_max"], self.cleaned_data["rate_per_second"]
        return Limits(
            usual.in_flight_max if in_flight is None else in_flight, usual.rate_per_second if rate is None else rate
        )


PRINTED_FIELDS = (
    "region", "organization", "tax_system", "vat_rate", "online_method", "topup_method", "topup_object", "topup_name",
)  # fmt: skip


def _initial(row: Register) -> dict[str, Any]:
    limits = limits_of(row)
    return {
        "region": row.region_id,
        "name": row.name,
        "shop_id": row.account.shop_id,
        "tax_system": row.tax_system,
        "vat_rate": row.vat_rate,
        "queue": row.queue,
        "online_method": row.online_method,
        "topup_method": row.topup_method,
        "topup_object": row.topup_object,
        "topup_name": row.topup_name,
        "active_online": row.active_online,
        "extra_regions": list(row.extra_regions.values_list("pk", flat=True)),
        "print_online": row.print_online,
        "organization": row.organization_id if row.organization_id != row.region.organization_id else None,
        "place": row.place_id,
        "ffd": row.ffd,
        "service_url": row.account.service_url,
        "internet_only": row.internet_only,
        "excise": "" if row.excise is None else "yes" if row.excise else "no",
        "max_lines": row.max_lines,
        "allow_zero_lines": row.allow_zero_lines,
        "credit_confirmed": row.credit_confirmed,
        "standby": row.standby_id,
        "standby_after_minutes": row.standby_after_minutes,
        "in_flight_max": limits.in_flight_max,
        "rate_per_second": limits.rate_per_second,
    }


def _show(request: HttpRequest, provider: Provider, form: RegisterForm, register: Register | None) -> HttpResponse:
    is_folded = not any(form.errors.get(name) for name in RegisterForm.EXTRA)
    values = {name: form[name].value() for name in PRINTED_FIELDS}
    return page(
        request,
        "register_form",
        register.name if register else f"Новая касса: {provider.title}",
        form=form,
        main=[form[name] for name in RegisterForm.MAIN],
        extra=[form[name] for name in RegisterForm.EXTRA],
        provider=provider,
        register=register,
        is_folded=is_folded,
        no_regions=not Region.objects.exists(),
        **_printed_context(values, confirmed=bool(form["credit_confirmed"].value())),
        code=200 if not form.is_bound else 422,
    )


def _save(request: HttpRequest, provider: Provider, register: Register | None) -> HttpResponse:
    if request.method != "POST":
        return _show(request, provider, RegisterForm(provider=provider, register=register), register)
    form = RegisterForm(request.POST, provider=provider, register=register)
    if form.is_valid():
        try:
            usual = limits_of(register) if register is not None else limits_default(provider.code)
            saved = register_put(
                content=form.content(provider.code),
                limits=form.limits(usual),
                actor=actor(request),
                register=register,
            )
        except Refusal as refusal:
            form.refuse(refusal)
        except SecretUnreadable:
            form.add_error("secret", "Прежний Secret не расшифровать: ключ шифрования сменился. Верните прежний ключ.")
        else:
            told(request, f"Касса «{saved.register.name}» сохранена.")
            for notice in saved.notices:
                noted(request, notice)
            return redirect("panel:register", uuid=saved.register.uuid)
    return _show(request, provider, form, register)


@staff
def new(request: HttpRequest, provider: str) -> HttpResponse:
    try:
        chosen = registry.get(provider)
    except UnknownProvider as error:
        raise Http404 from error
    return _save(request, chosen, None)


@staff
def edit(request: HttpRequest, uuid: UUID) -> HttpResponse:
    register = get_object_or_404(
        Register.objects.select_related("region", "account"), uuid=uuid, archived_at__isnull=True
    )
    return _save(request, registry.get(register.account.provider), register)


@staff
def printed(request: HttpRequest) -> HttpResponse:
    """What will be printed with the choices made so far: a part of the form, refreshed by htmx."""
    values = {name: request.GET.get(name, "") for name in PRINTED_FIELDS}
    return part(request, "parts/printed", **_printed_context(values, confirmed=False))


def _printed_context(values: dict[str, Any], *, confirmed: bool) -> dict[str, Any]:
    return {
        "printed": method_words(values),
        "samples": sample_receipts(values),
        "credit_confirmed": confirmed,
    }
