"""Faults on request: one list of rules, each a kind of misbehaviour, whom it strikes and how often.

A rule in JSON::

    {"fault": "drop", "when": "after", "count": 2, "match": {"external_id": "order-5*"}}

* ``fault``: a name of ``KINDS``; the table says which stage it belongs to and which further keys it takes.
* ``match``: patterns (``*``, ``?``) over what is known at that stage; all must fit. At the stages ``request`` and
  ``answer``: ``method``, ``path``, ``shop``, ``queue``, ``external_id``. Later: ``shop``, ``queue``, ``external_id``.
* ``count``: how many times it strikes (default: until it is deleted); ``skip``: how many matches it lets pass first;
  ``chance``: percent of the remaining matches that it strikes (default 100), from a generator that ``seed`` fixes.

Of several rules of one kind the first that fits strikes. Rules live in memory and are gone after a restart.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

REQUEST, ANSWER, REGISTER, CALLBACK = "request", "answer", "register", "callback"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a fault's rule may say beside the common keys, with the defaults."""

    stage: str
    text: str
    options: Mapping[str, Any] = field(default_factory=dict)
    condition: bool = False
    """A state of the register, true while the rule exists; ``count``, ``skip`` and ``chance`` do not apply."""


KINDS: dict[str, Kind] = {
    # the answer; "when" before: nothing is stored, after: the request has been carried out
    "latency": Kind(REQUEST, "the answer comes later", {"ms": 1000, "when": "before"}),
    "status": Kind(
        REQUEST,
        "500 is JSON SYS00, 502 to 504 are HTML of a front end, 429 is empty with Retry-After, others are empty",
        {"status": 500, "when": "before", "retry_after": 1},
    ),
    "drop": Kind(REQUEST, "the connection is cut without an answer", {"when": "before"}),
    "half_answer": Kind(ANSWER, "the request is carried out, the connection is cut within the answer"),
    "no_service": Kind(REQUEST, "SRV00: the account has no active service"),
    "unauthorised": Kind(REQUEST, "403 AUT00 though everything is right"),
    "duplicate_without_task": Kind(REQUEST, "if the request is answered VLD11, the task is left out"),
    # the register
    "passive": Kind(REGISTER, "the queue reports passive; its tasks stay new", condition=True),
    "offline": Kind(REGISTER, "the queue still reports active, but its tasks stay new", condition=True),
    "paper_out": Kind(REGISTER, "every receipt ends in an error", condition=True),
    "device_error": Kind(REGISTER, "the receipt ends in an error", {"description": "Ошибка ККТ: отказ устройства"}),
    "late_done": Kind(
        REGISTER,
        "the task becomes error and later done: after delay_ms, or when rules are deleted",
        {"delay_ms": 500, "description": "Ошибка ККТ: нет связи с устройством"},
    ),
    "stuck": Kind(REGISTER, "the task stays processing"),
    "wrong_total": Kind(REGISTER, "fiscal_data names another total", {"total": "0.01"}),
    "no_fiscal_data": Kind(REGISTER, "the task is done, but has no fiscal_data"),
    # callbacks
    "callback_early": Kind(CALLBACK, "the task is printed at once and its callback comes before the POST's answer"),
    "callback_duplicate": Kind(CALLBACK, "the callback comes several times", {"times": 2}),
    "callback_late": Kind(CALLBACK, "the callback waits", {"delay_ms": 2000}),
    "callback_missing": Kind(CALLBACK, "the callback never comes"),
    "callback_forged": Kind(CALLBACK, "the callback's signature was made with another secret"),
    "callback_unsigned": Kind(CALLBACK, "the callback has no signature"),
    "callback_wrong_url": Kind(
        CALLBACK, "the callback goes to `url`; without it, to the right place but signed for another URL", {"url": ""}
    ),
    "callback_out_of_order": Kind(
        CALLBACK, "the callback waits until a later one has gone, at most delay_ms", {"delay_ms": 2000}
    ),
}

_COMMON = ("fault", "match", "count", "skip", "chance", "seed")
_MATCHES = {
    REQUEST: ("method", "path", "shop", "queue", "external_id"),
    ANSWER: ("method", "path", "shop", "queue", "external_id"),
    REGISTER: ("shop", "queue", "external_id"),
    CALLBACK: ("shop", "queue", "external_id"),
}


@dataclass(slots=True)
class Fault:
    """One rule with what is left of it."""

    id: int
    kind: str
    options: dict[str, Any]
    match: dict[str, str]
    left: int | None
    skip: int
    chance: int
    dice: random.Random
    hits: int = 0

    def fits(self, subject: Mapping[str, str | list[str]]) -> bool:
        """Whether all patterns fit; a list fits when one of its members does."""
        for key, pattern in self.match.items():
            value = subject.get(key)
            if value is None:
                return False
            values = [value] if isinstance(value, str) else value
            if not any(fnmatchcase(one, pattern) for one in values):
                return False
        return True

    def as_dict(self) -> dict[str, Any]:
        """The rule as the control API shows it."""
        return {
            "id": self.id,
            "fault": self.kind,
            **self.options,
            "match": self.match,
            "left": self.left,
            "skip": self.skip,
            "chance": self.chance,
            "hits": self.hits,
        }


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._last_id = 0

    def __bool__(self) -> bool:
        return bool(self._rules)

    def add(self, rule: Any) -> Fault:
        """Put a rule in force.

        :raises ValueError: with the reason, when the rule is not one of ``KINDS`` or has keys that it does not take.
        """
        if not isinstance(rule, dict):
            raise ValueError("a rule is an object")
        kind = KINDS.get(rule.get("fault", ""))
        if kind is None:
            raise ValueError(f"fault: one of {', '.join(KINDS)} is wanted")
        for key in rule:
            if key not in _COMMON and key not in kind.options:
                raise ValueError(f"{rule['fault']} does not take {key}")
        options = {name: rule.get(name, default) for name, default in kind.options.items()}
        for name, default in kind.options.items():
            if type(options[name]) is not type(default):
                raise ValueError(f"{name}: {type(default).__name__} is wanted")
        if options.get("when", "before") not in ("before", "after"):
            raise ValueError("when: before or after is wanted")
        match = rule.get("match", {})
        allowed = _MATCHES[kind.stage]
        if not isinstance(match, dict) or not set(match) <= set(allowed):
            raise ValueError(f"match: an object with keys of {', '.join(allowed)} is wanted")
        count, skip, chance = rule.get("count"), rule.get("skip", 0), rule.get("chance", 100)
        if not (count is None or (type(count) is int and count > 0)) or type(skip) is not int or skip < 0:
            raise ValueError("count: a positive number, skip: a number that is not negative")
        if type(chance) is not int or not 0 < chance <= 100:
            raise ValueError("chance: percent, 1 to 100")
        if kind.condition and (count is not None or skip or chance != 100):
            raise ValueError(f"{rule['fault']} lasts until it is deleted: no count, skip or chance")
        self._last_id += 1
        fault = Fault(
            id=self._last_id,
            kind=rule["fault"],
            options=options,
            match={key: str(value) for key, value in match.items()},
            left=count,
            skip=skip,
            chance=chance,
            dice=random.Random(rule.get("seed")),  # noqa: S311 - repeatable tests, not secrets
        )
        self._rules.append(fault)
        return fault

    def clear(self, fault_id: int | None = None) -> int:
        """Delete one rule or all; returns how many went."""
        before = len(self._rules)
        self._rules = [rule for rule in self._rules if fault_id is not None and rule.id != fault_id]
        return before - len(self._rules)

    def listed(self) -> list[dict[str, Any]]:
        """All rules, oldest first."""
        return [rule.as_dict() for rule in self._rules]

    def holds(self, kind: str, subject: Mapping[str, str | list[str]]) -> bool:
        """Whether a condition is true of ``subject``; nothing is used up."""
        return any(rule.kind == kind and rule.fits(subject) for rule in self._rules)

    def strike(
        self, kind: str, subject: Mapping[str, str | list[str]], *, when: str | None = None
    ) -> dict[str, Any] | None:
        """The options of the first rule of ``kind`` that strikes ``subject``, using it up; None when none does."""
        for rule in self._rules:
            if rule.kind != kind or (when is not None and rule.options.get("when") != when):
                continue
            if rule.left == 0 or not rule.fits(subject):
                continue
            if rule.skip:
                rule.skip -= 1
                continue
            if rule.chance < 100 and rule.dice.randrange(100) >= rule.chance:
                continue
            if rule.left is not None:
                rule.left -= 1
            rule.hits += 1
            return rule.options
        return None

    def any_of(self, kinds: Iterable[str]) -> bool:
        """Whether a rule of one of ``kinds`` is in force and not used up."""
        return any(rule.kind in kinds and rule.left != 0 for rule in self._rules)
