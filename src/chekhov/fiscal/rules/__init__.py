"""The rules of a receipt, one function each, by subject: `check` judges a document, `check_result` its answer."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from chekhov.fiscal.context import RuleContext
from chekhov.fiscal.document import Document, Figures, FiscalResult
from chekhov.fiscal.money import Money
from chekhov.fiscal.rules import (  # noqa: F401 importing declares the rules
    agents,
    answer,
    arithmetic,
    corrections,
    header,
    marking,
    names,
    payments,
    vat,
)
from chekhov.fiscal.rules.case import Answer, Case
from chekhov.fiscal.rules.corrections import REVERSE_RULES
from chekhov.fiscal.rules.rule import ANSWER_JUDGES, DOCUMENT_JUDGES, RULES, Finding, Rule, Severity, found
from chekhov.fiscal.vocabulary import VatCode

__all__ = ["RULES", "Finding", "Rule", "Severity", "check", "check_result", "notices", "refusals"]

_sorted = sorted(RULES.items())
RULES.clear()
RULES.update(_sorted)

_DOCUMENT = tuple((RULES[id], DOCUMENT_JUDGES[id]) for id in RULES if id in DOCUMENT_JUDGES)
_REVERSE = tuple((rule, judge) for rule, judge in _DOCUMENT if rule.id in REVERSE_RULES)
_ANSWER = tuple((RULES[id], ANSWER_JUDGES[id]) for id in RULES if id in ANSWER_JUDGES)
_ORDINARY = RuleContext()


def check(document: Document, context: RuleContext = _ORDINARY) -> tuple[Finding, ...]:
    """Judge a document by every rule that a single document can answer, in the order of their numbers.

    The reverse half of a correction pair repeats a wrong receipt and is held to a few of them only.
    """
    correction = document.correction
    judges = _REVERSE if correction is not None and correction.is_reverse else _DOCUMENT
    case = Case(document, context)
    findings: list[Finding] = []
    for rule, judge in judges:
        broken = judge(case)
        if broken:
            findings += found(rule, broken)
    return tuple(findings)


def check_result(
    document: Document | Figures,
    result: FiscalResult,
    *,
    known: Container[tuple[str, int]] = (),
    qr: str = "",
    returned_vat: Mapping[VatCode, Money] | None = None,
) -> tuple[Finding, ...]:
    """Judge a register's answer against the document that was sent, or against its figures.

    `known` holds the pairs (ФН, ФД) of *other* documents; `qr` and `returned_vat` are what the provider gives, if any.
    """
    seen = Answer(document, result, known, qr, returned_vat)
    return tuple(finding for rule, judge in _ANSWER for finding in found(rule, judge(seen)))


def refusals(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that forbid sending."""
    return tuple(finding for finding in findings if finding.severity is Severity.REFUSAL)


def notices(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that are told and stored, and hold nothing back."""
    return tuple(finding for finding in findings if finding.severity is Severity.NOTICE)
