"""The books against the tape: what the journal says of each receipt, and what really exists at the register.

Reads the installation's database through Django and compares it with the emulator's memory. Knows nothing of how the
receipts came to be: no fault, no retry and no person excuses a difference.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from chekhov.delivery.jobs import key_of
from chekhov.delivery.models import Attempt
from chekhov.fiscal.money import Money
from chekhov.receipts import writer
from chekhov.receipts.models import FiscalRecord, Incident, Obligation, Receipt
from chekhov.receipts.states import State
from chekhov.sales.models import Fact

Task = Mapping[str, Any]
ABSENT = (State.REFUSED, State.CANCELLED, State.FAILED)


@dataclass(slots=True)
class Books:
    """What was compared, and every difference as a sentence. Agreement is three empty lists."""

    facts: int = 0
    documents: int = 0
    lost: list[str] = field(default_factory=list)  # facts that owe a document and have none
    doubled: list[str] = field(default_factory=list)  # documents that no fact owes
    false_states: list[str] = field(default_factory=list)  # the journal says what is not so

    def agree(self) -> bool:
        return not (self.lost or self.doubled or self.false_states)


@dataclass(frozen=True, slots=True)
class _Row:
    """A receipt with its state, as the books have it."""

    id: int
    obligation_id: int
    kopecks: int
    state: State
    keys: frozenset[str]
    current_key: str
    provider_ref: str


def compare(tasks: Iterable[Task], *, settled: bool = True, absence: bool = True) -> Books:
    """Compare the whole database with the emulator's tasks (`EmulatorProcess.receipts()`).

    `settled`: nothing is under way any more, so each obligation must have its document and be known to have it.
    `absence`: what is failed, refused or cancelled must not exist; not asked where the provider takes an error back
    and nobody has had the time to hear of it.
    """
    found = Books(facts=Fact.objects.count())
    by_key: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        by_key[task["external_id"]].append(task)
    printed = {key: [task for task in of_key if task["state"] == "done"] for key, of_key in by_key.items()}
    done = {key: some for key, some in printed.items() if some}
    found.documents = sum(map(len, done.values()))
    _numbers_once(found, done)
    rows = list(_rows())
    owners = {key: row for row in rows for key in row.keys}
    for key in done.keys() - owners.keys():
        found.doubled.append(f"document under key {key}: no receipt of the books has it")
    records = FiscalRecord.objects.in_bulk()
    documents: Counter[int] = Counter()
    known: Counter[int] = Counter()
    for row in rows:
        own = [task for key in row.keys for task in done.get(key, ())]
        documents[row.obligation_id] += len(own)
        known[row.obligation_id] += row.state is State.FISCALIZED
        found.false_states += _lies(row, own, by_key, records.get(row.id), settled=settled, absence=absence)
        if not writer.chain_is_whole(row.id):
            found.false_states.append(f"receipt {row.id}: its chain of events is broken")
    for obligation_id, kopecks in Obligation.objects.values_list("id", "amount_kopecks"):
        if documents[obligation_id] > 1:
            found.doubled.append(f"obligation {obligation_id}: {documents[obligation_id]} documents")
        if settled and not documents[obligation_id]:
            found.lost.append(f"obligation {obligation_id}: no document for {Money(kopecks)}")
        if settled and documents[obligation_id] and known[obligation_id] != 1:
            found.false_states.append(f"obligation {obligation_id}: has a document and is not known to have it")
    if settled:
        for receipt_id, code in Incident.objects.filter(closed_at__isnull=True).values_list("receipt_id", "code"):
            found.false_states.append(f"receipt {receipt_id}: an open incident, {code}")
    return found


def compare_facts(found: Books, sent: Sequence[tuple[str, str, str, str]]) -> None:
    """Add what the shop knows: each fact that it sent, `(kind, parent, id, amount)`, is in the books once, no other."""
    recorded: Counter[tuple[str, str, str, int]] = Counter()
    for kind, invoice, customer, external_id, kopecks in Fact.objects.values_list(
        "kind", "invoice__external_id", "customer__external_id", "external_id", "amount_kopecks"
    ):
        recorded[kind, invoice if invoice is not None else customer, external_id, kopecks] += 1
    wanted = Counter((kind, parent, id, Money.parse(amount).kopecks) for kind, parent, id, amount in sent)
    found.lost += [f"fact {key} was taken and is not in the books" for key in wanted - recorded]
    found.doubled += [f"fact {key} is in the books and was not sent" for key in recorded - wanted]
    owed: Counter[int] = Counter(Obligation.objects.values_list("fact_id", flat=True))
    for fact_id in Fact.objects.values_list("id", flat=True):
        if owed[fact_id] != 1:
            found.false_states.append(f"fact {fact_id}: {owed[fact_id]} obligations")


def _rows() -> Iterable[_Row]:
    sent: dict[int, set[str]] = defaultdict(set)
    for receipt_id, key in Attempt.objects.values_list("receipt_id", "key"):
        sent[receipt_id].add(key)
    for receipt in Receipt.objects.select_related("status").defer("document").order_by("id").iterator():
        status = receipt.status
        own = {key_of(receipt.uuid, number) for number in range(1, status.key_number + 1)}
        yield _Row(
            receipt.pk,
            receipt.obligation_id,
            receipt.total_kopecks,
            State(status.state),
            frozenset(own | sent[receipt.pk]),
            key_of(receipt.uuid, status.key_number),
            status.provider_ref,
        )


def _lies(
    row: _Row,
    own: Sequence[Task],
    by_key: Mapping[str, Sequence[Task]],
    record: FiscalRecord | None,
    *,
    settled: bool,
    absence: bool,
) -> Iterable[str]:
    """What the journal says of one receipt and is not so."""
    name = f"receipt {row.id}, «{row.state.label}»"
    if (record is not None) != (row.state is State.FISCALIZED):
        yield f"{name}: figures {'without' if record else 'are missing for'} «Фискализирован»"
    if row.state is State.FISCALIZED:
        if len(own) != 1:
            yield f"{name}: {len(own)} documents"
        elif record is not None:
            yield from _figures(name, row, own[0], record)
        return
    if row.state in ABSENT and own and absence:
        yield f"{name}: its document exists"
    if row.state is State.QUEUED and by_key.get(row.current_key):
        yield f"{name}: the provider has its task"
    if row.state is State.ACCEPTED and not by_key.get(row.current_key):
        yield f"{name}: the provider does not have its task"
    if settled and row.state is not State.CANCELLED:
        yield f"{name}: not settled"


def _figures(name: str, row: _Row, task: Task, record: FiscalRecord) -> Iterable[str]:
    told = task["fiscal_data"] or {}
    ours = (record.fn, str(record.fd), record.fp)
    theirs = (str(told.get("fn")), str(told.get("i")), str(told.get("fp")))
    if ours != theirs:
        yield f"{name}: figures {ours}, the register's are {theirs}"
    paid = sum(_kopecks(payment["sum"]) for payment in task["request"]["payments"])
    if not record.total_kopecks == row.kopecks == paid == _kopecks(told.get("s", 0)):
        yield f"{name}: {row.kopecks} kopecks, printed {told.get('s')}, sent {paid}, noted {record.total_kopecks}"


def _kopecks(value: Any) -> int:
    return int(Decimal(str(value)) * 100)


def _numbers_once(found: Books, done: Mapping[str, Sequence[Task]]) -> None:
    numbers = Counter(
        ((task["fiscal_data"] or {}).get("fn"), (task["fiscal_data"] or {}).get("i"))
        for of_key in done.values()
        for task in of_key
        if task["fiscal_data"]
    )
    found.doubled += [f"ФН {fn}, ФД {fd}: {count} documents" for (fn, fd), count in numbers.items() if count > 1]
