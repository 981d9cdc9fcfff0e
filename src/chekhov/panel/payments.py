"""«Отметить оплату» and «Пополнить баланс»: a person records money that was taken at the counter."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from chekhov.config.clock import now
from chekhov.errors import Conflict, Refusal
from chekhov.fiscal.money import Money
from chekhov.fiscal.vocabulary import MEANS_LABELS, Channel, Means
from chekhov.panel.forms import NumberText, PanelForm
from chekhov.panel.pages import actor, actor_name, page, staff, told
from chekhov.receipts.contents import FactContent, PaymentContent, TopupContent
from chekhov.receipts.models import Obligation
from chekhov.receipts.recording import fact_record
from chekhov.sales.models import Customer, Fact, FactKind, Invoice

_DOUBLE_CLICK = timedelta(minutes=2)
COUNTER_MEANS = [(means.value, MEANS_LABELS[means]) for means in (Means.CASH, Means.CARD, Means.SBP)]


class MoneyForm(PanelForm):
    """How much and with what. `fact` is made once for a form, so that posting it twice records one fact."""

    fact = forms.UUIDField(widget=forms.HiddenInput)
    amount = NumberText(label="Сколько получено, ₽")
    means = forms.ChoiceField(label="Чем заплатили", choices=COUNTER_MEANS, widget=forms.RadioSelect, initial="cash")
    business = forms.BooleanField(
        label="Покупатель действует от организации или ИП",
        required=False,
        help_text="Тогда в чеке будут его название и ИНН.",
    )

    @property
    def money(self) -> Money | None:
        """The amount; None, with an error at the field, where it cannot be read."""
        try:
            return Money.parse(self.cleaned_data["amount"])
        except ValueError:
            self.add_error("amount", "Сумма не читается: нужны рубли и не больше двух знаков копеек, как 1250,00.")
            return None


def _record(request: HttpRequest, form: MoneyForm, content: FactContent, where: Customer | Invoice) -> Fact | None:
    """Record the fact, or find the one that this very form recorded a moment ago; None with the refusal in the form."""
    kind = FactKind.PAYMENT if isinstance(content, PaymentContent) else FactKind.TOPUP
    known = Fact.objects.filter(kind=kind, external_id=content.id)
    known = known.filter(invoice=where) if isinstance(where, Invoice) else known.filter(customer=where)
    try:
        recorded = fact_record(source=where.source, content=content, actor=actor_name(request), person=actor(request))
    except Conflict as conflict:
        fact = known.first()
        is_same = fact and fact.amount_kopecks == content.amount.kopecks and fact.means == content.means
        if fact and is_same and content.paid_at - fact.occurred_at < _DOUBLE_CLICK:
            return fact  # the second click came a moment later: only its time differs
        if fact and is_same:
            form.add_error(None, "Эта оплата уже записана. Если деньги приняты ещё раз, откройте форму заново.")
            return None
        form.refuse(conflict)
        return None
    except Refusal as refusal:
        form.refuse(refusal)
        return None
    return Fact.objects.get(uuid=recorded.answer.uuid)


def _onwards(request: HttpRequest, fact: Fact, back: str, uuid: UUID) -> HttpResponse:
    """To the composer of what the fact owes, or back where it owes nothing."""
    told(request, f"Записано: {Money(fact.amount_kopecks).human} ₽, {MEANS_LABELS[Means(fact.means)].lower()}.")
    obligation = Obligation.objects.filter(fact=fact).first()
    if obligation is None:
        return redirect(back, uuid=uuid)
    return redirect("panel:composer", uuid=obligation.uuid)


@staff
def pay(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """«Отметить оплату» of an invoice."""
    invoice = get_object_or_404(Invoice.objects.select_related("customer", "region", "source"), uuid=uuid)
    left = Money(invoice.total_kopecks - invoice.paid_kopecks)
    if request.method == "POST":
        form = MoneyForm(request.POST)
        if form.is_valid() and (amount := form.money) is not None:
            content = PaymentContent(
                invoice=invoice.external_id,
                id=f"panel-{form.cleaned_data['fact']}",
                amount=amount,
                means=Means(form.cleaned_data["means"]),
                channel=Channel.COUNTER,
                paid_at=now(),
                buyer_acts_for_business=form.cleaned_data["business"],
            )
            fact = _record(request, form, content, invoice)
            if fact is not None:
                return _onwards(request, fact, "panel:invoice", uuid)
    else:
        amount_text = str(left).replace(".", ",") if left else ""
        form = MoneyForm(initial={"fact": uuid4(), "amount": amount_text})
    return page(
        request,
        "pay",
        f"Оплата счёта {invoice.number}",
        form=form,
        invoice=invoice,
        left=left,
        code=422 if form.is_bound else 200,
    )


@staff
def topup(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """«Пополнить баланс» of a customer."""
    customer = get_object_or_404(Customer.objects.select_related("region", "source"), uuid=uuid)
    if request.method == "POST":
        form = MoneyForm(request.POST)
        if form.is_valid() and (amount := form.money) is not None:
            content = TopupContent(
                customer=customer.external_id,
                id=f"panel-{form.cleaned_data['fact']}",
                amount=amount,
                means=Means(form.cleaned_data["means"]),
                channel=Channel.COUNTER,
                paid_at=now(),
            )
            fact = _record(request, form, content, customer)
            if fact is not None:
                return _onwards(request, fact, "panel:customer", uuid)
    else:
        form = MoneyForm(initial={"fact": uuid4()})
    return page(
        request,
        "topup",
        "Пополнение баланса",
        form=form,
        customer=customer,
        code=422 if form.is_bound else 200,
    )
