"""What a rule is: its name, its judge, what it finds; and the register of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chekhov.fiscal.rules.case import Answer, Case


class Severity(StrEnum):
    """What follows from a finding."""

    REFUSAL = "E"  # the document is not sent
    NOTICE = "W"  # told and stored; only the composer asks the person at the screen


REFUSAL = Severity.REFUSAL
NOTICE = Severity.NOTICE


@dataclass(frozen=True, slots=True)
class Rule:
    """One executable invariant of a receipt."""

    id: str  # "R01"
    code: str  # the stable error code
    severities: tuple[Severity, ...]  # both where some breaches refuse and others only tell
    condition: str  # what must hold, in Russian
    next_step: str  # what to do where it does not, in Russian

    @property
    def severity(self) -> str:
        """``E``, ``W`` or ``E/W``."""
        return "/".join(self.severities)


@dataclass(frozen=True, slots=True)
class Broken:
    """What a judge returns for each breach."""

    path: str  # ``lines[0].sum``
    message: str  # Russian, with the figures
    severity: Severity | None = None  # given where the rule has both
    next_step: str = ""  # where this breach needs another step than the rule's


@dataclass(frozen=True, slots=True)
class Finding:
    """A breach of a rule, for people and for the API."""

    rule: str
    code: str
    severity: Severity
    path: str
    message: str
    next_step: str


DocumentJudge = Callable[["Case"], Sequence[Broken]]
AnswerJudge = Callable[["Answer"], Sequence[Broken]]

FINE: tuple[Broken, ...] = ()
"""What a judge returns where its rule holds."""

RULES: dict[str, Rule] = {}
"""All rules by id, in numeric order once the package is imported."""

DOCUMENT_JUDGES: dict[str, DocumentJudge] = {}
ANSWER_JUDGES: dict[str, AnswerJudge] = {}


def _register(id: str, code: str, severities: tuple[Severity, ...], condition: str, next_step: str) -> None:
    assert id not in RULES, f"{id} is declared twice"
    RULES[id] = Rule(id, code, severities, condition, next_step)


def document_rule(
    id: str, code: str, *severities: Severity, condition: str, next_step: str
) -> Callable[[DocumentJudge], DocumentJudge]:
    """Declare a function as the judge of a rule about the document."""

    def declare(judge: DocumentJudge) -> DocumentJudge:
        _register(id, code, severities, condition, next_step)
        DOCUMENT_JUDGES[id] = judge
        return judge

    return declare


def answer_rule(
    id: str, code: str, *severities: Severity, condition: str, next_step: str
) -> Callable[[AnswerJudge], AnswerJudge]:
    """Declare a function as the judge of a rule about the register's answer."""

    def declare(judge: AnswerJudge) -> AnswerJudge:
        _register(id, code, severities, condition, next_step)
        ANSWER_JUDGES[id] = judge
        return judge

    return declare


def found(rule: Rule, broken: Sequence[Broken]) -> list[Finding]:
    """Breaches with the name of their rule."""
    findings = []
    for breach in broken:
        if breach.severity is None:
            (severity,) = rule.severities
        else:
            severity = breach.severity
            assert severity in rule.severities, f"{rule.id} has no severity {severity}"
        findings.append(
            Finding(rule.id, rule.code, severity, breach.path, breach.message, breach.next_step or rule.next_step)
        )
    return findings
