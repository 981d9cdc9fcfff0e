"""What a fact says, as the shop or a person gives it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chekhov.fiscal.money import Money
from chekhov.fiscal.vocabulary import Channel, Means


@dataclass(frozen=True, slots=True)
class PaymentContent:
    """A payment of an invoice as given: `invoice` and `id` are the shop's own."""

    invoice: str
    id: str
    amount: Money
    means: Means
    channel: Channel
    paid_at: datetime
    buyer_acts_for_business: bool = False


@dataclass(frozen=True, slots=True)
class TopupContent:
    """A balance top-up as given. Empty `organization` means the region's."""

    customer: str
    id: str
    amount: Money
    means: Means
    channel: Channel
    paid_at: datetime
    organization: str = ""


FactContent = PaymentContent | TopupContent
