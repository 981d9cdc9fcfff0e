"""How values look in the panel: money, quantities, states, times, fields."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.forms import BoundField
from django.utils import timezone

from chekhov.fiscal.document import Document
from chekhov.fiscal.money import Money
from chekhov.fiscal.quantity import Quantity
from chekhov.panel.paper import Paper, paper_of
from chekhov.panel.words import ago, plural
from chekhov.receipts.states import State

register = template.Library()

ICONS = {
    State.QUEUED: "schedule",
    State.SENDING: "upload",
    State.ACCEPTED: "hourglass_top",
    State.FISCALIZED: "check_circle",
    State.FAILED: "error",
    State.REFUSED: "block",
    State.UNKNOWN: "help",
    State.CANCELLED: "cancel",
}
TONES = {
    State.QUEUED: "calm",
    State.SENDING: "calm",
    State.ACCEPTED: "info",
    State.FISCALIZED: "good",
    State.FAILED: "bad",
    State.REFUSED: "bad",
    State.UNKNOWN: "warn",
    State.CANCELLED: "off",
}


@register.filter
def rub(kopecks: int | Money) -> str:
    """Kopecks as ``1 250,00 ₽``."""
    money = kopecks if isinstance(kopecks, Money) else Money(int(kopecks))
    return f"{money.human}\u00a0₽"


@register.filter
def qty(thousandths: int | Quantity) -> str:
    """Thousandths as ``1,357``."""
    return (thousandths if isinstance(thousandths, Quantity) else Quantity(int(thousandths))).human


@register.filter
def since(instant: datetime) -> str:
    """How long ago, in words: ``5 минут назад``."""
    return f"{ago((timezone.now() - instant).total_seconds())} назад"


@register.filter
def words(number: int, forms: str) -> str:
    """``{{ 3|words:"чек,чека,чеков" }}`` → ``3 чека``."""
    one, few, many = forms.split(",")
    return f"{number}\u00a0{plural(number, one, few, many)}"


@register.inclusion_tag("panel/parts/chip.html")
def chip(state: str) -> dict[str, Any]:
    """A state as an icon and a word."""
    known = State(state)
    return {"text": known.label, "icon": ICONS[known], "tone": TONES[known]}


@register.inclusion_tag("panel/parts/chip.html")
def mark(text: str, icon: str, tone: str) -> dict[str, Any]:
    """Any short status as an icon and a word."""
    return {"text": text, "icon": icon, "tone": tone}


@register.inclusion_tag("panel/parts/field.html")
def field(bound: BoundField, wide: str = "") -> dict[str, Any]:
    """A form's field with its label, help and errors."""
    return {"field": bound, "kind": getattr(bound.field.widget, "input_type", ""), "wide": wide}


@register.inclusion_tag("panel/parts/cell.html")
def cell(bound: BoundField) -> dict[str, Any]:
    """A field inside a row: its label is for screen readers and small screens."""
    return {"field": bound}


@register.inclusion_tag("panel/parts/paper.html")
def paper(document: Document, fiscal: Any = None) -> dict[str, Paper]:
    """A document drawn as the buyer gets it."""
    return {"paper": paper_of(document, fiscal)}
