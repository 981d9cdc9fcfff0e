"""States of a receipt and every lawful transition, as data.

No state says more than is known: accepted is not fiscalized, and a lost answer is «исход неизвестен» until the
provider was asked under the same key. `refused` and `cancelled` are about the document, not about the last call: they
need proven absence for every attempt under every key.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"
    FISCALIZED = "fiscalized"
    FAILED = "failed"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"

    @property
    def label(self) -> str:
        return LABELS[self]

    @property
    def is_final(self) -> bool:
        return not TRANSITIONS[self]


LABELS = {
    State.QUEUED: "В очереди",
    State.SENDING: "Отправляется",
    State.ACCEPTED: "Принят кассой",
    State.FISCALIZED: "Фискализирован",
    State.FAILED: "Ошибка кассы",
    State.REFUSED: "Отклонён",
    State.UNKNOWN: "Исход неизвестен",
    State.CANCELLED: "Отменён",
}

TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.SENDING, State.ACCEPTED, State.FISCALIZED, State.CANCELLED}),
    State.SENDING: frozenset(
        {State.ACCEPTED, State.FISCALIZED, State.REFUSED, State.QUEUED, State.UNKNOWN, State.FAILED}
    ),
    State.ACCEPTED: frozenset({State.FISCALIZED, State.FAILED}),
    State.FISCALIZED: frozenset(),
    State.FAILED: frozenset({State.QUEUED, State.FISCALIZED, State.CANCELLED}),
    State.REFUSED: frozenset({State.CANCELLED}),
    State.UNKNOWN: frozenset({State.ACCEPTED, State.FISCALIZED, State.FAILED, State.REFUSED, State.QUEUED}),
    State.CANCELLED: frozenset({State.FISCALIZED}),  # the task lived after all: the truth is written down
}


def is_lawful(before: State, after: State) -> bool:
    """Whether a receipt may go from one state to the other."""
    return after in TRANSITIONS[before]


def diagram() -> str:
    """The transitions as a Mermaid state diagram, for the documentation."""
    rows = ["stateDiagram-v2", "    [*] --> queued"]
    for before, afters in TRANSITIONS.items():
        rows += [f"    {before.value} --> {after.value}" for after in State if after in afters]
    return "\n".join(rows)
