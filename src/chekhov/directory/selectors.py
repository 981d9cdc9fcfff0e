"""Reading the dated settings of organizations."""

from __future__ import annotations

from datetime import date

from chekhov.directory.models import Organization
from chekhov.fiscal.vocabulary import TaxSystem, VatMode


def vat_mode_on(organization: Organization, on: date) -> VatMode | None:
    """How the organization pays VAT on a date; None where nothing is set for it."""
    row = organization.vat_modes.filter(valid_from__lte=on).order_by("-valid_from").first()
    return VatMode(row.vat_mode) if row else None


def tax_systems_on(organization: Organization, on: date) -> list[TaxSystem]:
    """The tax systems in force on a date, by number."""
    rows = organization.tax_systems.filter(valid_from__lte=on).order_by("tax_system")
    return [TaxSystem(row.tax_system) for row in rows if row.valid_to is None or row.valid_to >= on]
