"""Writing outcomes: a group of answers in one transaction, each fenced by the attempt that it belongs to."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import OperationalError

from chekhov.config.clock import now
from chekhov.config.database import (
    execute,
    fetch,
    fetch_together,
    insert_rows,
    instant,
    one_of,
    read_clock_ms,
    rows_as,
    writing,
)
from chekhov.delivery.absence import CLOCKS_APART, absence_write, is_absent, longest_call, proven_to
from chekhov.delivery.breaker import LaneKey, hear_statement, hear_with, heard
from chekhov.delivery.jobs import Job, JobKind, Result, key_of
from chekhov.delivery.lanes import QUESTIONS, lane_pause
from chekhov.delivery.outcomes import (
    PROVES_ABSENCE,
    PROVES_PRESENCE,
    Decision,
    Pause,
    after_lookup,
    after_poll,
    after_submission,
    asked_once_more,
    contradicted,
    earlier_key,
    printed_under_earlier_key,
    stored_outcome,
)
from chekhov.delivery.reconcile import is_repeat_safe
from chekhov.delivery.sightings import answered, ask_again, asking, given_up, is_known, sighted, unanswered
from chekhov.delivery.standby import bring_back
from chekhov.drivers.contract import Accepted, Done, Failed, NotFound, Pending, Refused, Unsent, Unsure
from chekhov.fiscal.document import Figures, FiscalResult
from chekhov.fiscal.money import Money
from chekhov.fiscal.rules import check_result
from chekhov.fiscal.vocabulary import CalculationSign
from chekhov.receipts import writer
from chekhov.receipts.incidents import FIGURES, SECOND_DOCUMENT, incident_open
from chekhov.receipts.states import State

Attempts = dict[int, list[tuple[int, int, str]]]
"""By receipt: number, number of the key, and outcome of each sending."""

_ANSWER_COLUMNS = {
    "id": "bigint",
    "number": "integer",
    "outcome": "text",
    "status": "smallint",
    "answer": "text",
    "code": "text",
    "text": "text",
}
_FISCAL_COLUMNS = [
    "receipt_id",
    "fn",
    "fd",
    "fp",
    "printed_at",
    "sign",
    "total_kopecks",
    "rn",
    "shift",
    "number",
    "url",
    "recorded_at",
]


def results_commit(results: Sequence[Result], owner: str) -> set[int]:
    """Write outcomes, as one group; the ids of the receipts that moved.

    Where there are several about one receipt, each finds what the one before has made of it, and what proves that a
    task is there comes first: no other may send the same fact on its way again.

    One poisoned outcome must not hold back its neighbours: where a group cannot be written, each goes alone, and the
    first that cannot is raised after all the others have been written.
    """
    moved: set[int] = set()
    faults: list[Exception] = []
    groups = deque(_one_each(results))
    while groups:
        group = groups.popleft()
        try:
            moved |= _commit(group, owner)
        except OperationalError:  # the database is away: all of them wait for it
            raise
        except Exception as error:
            if len(group) == 1:
                faults.append(error)
            else:
                groups.extendleft([item] for item in reversed(group))
    if faults:
        raise faults[0]
    return moved


def _one_each(results: Sequence[Result]) -> list[list[Result]]:
    """Groups with at most one result of each receipt."""
    groups: list[list[Result]] = []
    turns: Counter[int] = Counter()
    for item in sorted(results, key=_weight):
        turn = turns[item.job.receipt_id]
        turns[item.job.receipt_id] += 1
        if turn == len(groups):
            groups.append([])
        groups[turn].append(item)
    return groups


def _commit(results: Sequence[Result], owner: str) -> set[int]:
    actor = f"worker:{owner}"
    news = [(item.job.channel.key, heard(item.outcome, item.status, is_html=item.is_html)) for item in results]
    with writing(together=True):
        _answers_write([item for item in results if item.job.kind.is_sending], owner)
        ids = sorted({item.job.receipt_id for item in results})
        by_key = sorted({item.job.receipt_id for item in results if item.job.kind is not JobKind.POLL})
        printed = [(item.job.receipt_id, item.outcome.result) for item in results if isinstance(item.outcome, Done)]
        states, lanes, *more = fetch_together(
            writer.heads_statement(ids, lock=True),
            hear_statement(news),
            *([_attempts_statement(by_key), _woken_statement(by_key)] if by_key else []),
            *([_sealed_statement(printed), _taken_statement(printed)] if printed else []),
        )
        heads = writer.heads_of(states)
        attempts = _attempts(more[0] if by_key else [])
        woken = {row[0] for row in more[1]} if by_key else set()
        strays = [item.job.receipt_id for item in results if _is_stray(item, heads.get(item.job.receipt_id))]
        if strays:
            attempts |= _attempts(fetch(*_attempts_statement(strays)))
        now_ms = read_clock_ms() if any(isinstance(item.outcome, Unsent) for item in results) else 0
        failed = _sightings_fail(results, heads)
        doubted = unanswered([key for key, head in heads.items() if head.wanted or head.state is State.CANCELLED])
        decisions: dict[int, Decision] = {}
        for item in _without_wishes(results, doubted):
            head = heads.get(item.job.receipt_id)
            if head is None:
                continue
            decision = _decide(item, head, owner, attempts.get(head.receipt_id, []), head.receipt_id in woken, now_ms)
            if decision is not None:
                decisions[head.receipt_id] = _laid_to_rest(head) if _is_idle(item, head, doubted) else decision
        if printed:
            _contradictions(decisions, heads, sealed=more[-2], taken=more[-1])
        _revivals(decisions, heads)
        _evidence_write(decisions, heads)
        _keys_renew(decisions)
        changes = [item.change for item in decisions.values() if item.change is not None]
        moved = {change.head.receipt_id for change in changes}
        writer.apply_locked(changes, actor=actor)
        writer.touch([item.touch for item in decisions.values() if item.touch is not None])
        for item in results:
            if item.job.kind is JobKind.POLL and isinstance(item.outcome, Done) and item.job.receipt_id in moved:
                answered(receipt_id=item.job.receipt_id, provider_ref=item.job.provider_ref, answer="printed")
        for change in changes:
            head = change.head
            if head.state is State.FAILED and change.to is not State.FISCALIZED and head.provider_ref:
                given_up(receipt_id=head.receipt_id, key_number=head.key_number, provider_ref=head.provider_ref)
        ended = {change.head.receipt_id for change in changes if change.to in (State.CANCELLED, State.FAILED)}
        ask_again(ended | {key for key in failed if key not in moved})
        _fiscal_write({key: item.result for key, item in decisions.items() if item.result is not None and key in moved})
        _absences_write(decisions, heads, attempts, moved, actor)
        hear_with(news, lanes)
        _pauses(results, decisions)
        return moved


def _is_past(item: Result, head: writer.Head | None) -> bool:
    """Whether an answer is about another key than the receipt has now."""
    return head is not None and item.job.key != key_of(head.uuid, head.key_number)


def _weight(item: Result) -> int:
    """In which order several answers about one receipt are heard."""
    return 0 if isinstance(item.outcome, Done) else 1 if isinstance(item.outcome, Accepted) else 2


def _decide(
    item: Result,
    head: writer.Head,
    owner: str,
    attempts: Sequence[tuple[int, int, str]],
    woken: bool,
    now_ms: int,
) -> Decision | None:
    capabilities = item.job.channel.driver.capabilities
    if item.job.kind is JobKind.POLL:
        return _decide_poll(item, head, attempts)
    if item.job.kind is JobKind.LOOKUP:
        return _decide_lookup(item, head, attempts)
    if _is_past(item, head):
        return _decide_past(item, head, attempts)
    latest = max((number for number, _, _ in attempts), default=0)
    if head.state is State.SENDING and (head.lease_owner != owner or latest != item.job.attempt_number):
        return None  # the lease went to another; the answer stays on its own attempt
    current = [(number, outcome) for number, key_number, outcome in attempts if key_number == head.key_number]
    others = [number for number, outcome in current if outcome not in PROVES_ABSENCE]
    others_absent = not any(number != item.job.attempt_number for number in others)
    if not others_absent and isinstance(item.outcome, Refused | Unsent):
        border = proven_to(head.receipt_id, head.key_number)
        known = {number for number, outcome in current if outcome in PROVES_PRESENCE}
        others_absent = all(
            number <= border and number not in known for number in others if number != item.job.attempt_number
        )
    return after_submission(
        head,
        item.outcome,  # type: ignore[arg-type]
        capabilities,
        others_absent=others_absent,
        attempts=len(current),
        has_callback=woken,
        place_in_ms=item.job.place_ms - now_ms if isinstance(item.outcome, Unsent) else None,
    )


def _decide_past(item: Result, head: writer.Head, attempts: Sequence[tuple[int, int, str]]) -> Decision:
    """An answer about a key that is not the receipt's now. While nothing of the current one has been sent, what exists
    under the other is asked about. Afterwards it is evidence; and where nobody knew that anything exists there, it is
    kept, and a person has to look.
    """
    number = _key_numbers(head, attempts).get(item.job.key, 0)
    if not number or not isinstance(item.outcome, Accepted | Done):
        return Decision()
    ref = item.outcome.ref.provider_id
    if isinstance(item.outcome, Accepted) and ref and is_known(head.receipt_id, ref):
        return Decision()  # what it came to is known, or is being asked
    if earlier_key(head, item.outcome, number).change is not None:
        return earlier_key(bring_back(head, *item.job.channel.key), item.outcome, number)
    told_before = any(
        key_number == number and outcome in PROVES_PRESENCE
        for attempt, key_number, outcome in attempts
        if attempt != item.job.attempt_number or not item.job.kind.is_sending
    )
    if told_before and not isinstance(item.outcome, Done):
        return Decision()
    text = f"Сервис ответил, что взял этот чек при прежней отправке (задача {ref or 'без номера'}), а он ушёл снова."
    if not ref:
        return Decision(incident=text)
    return Decision(touch=asking(head, number, ref), incident=text, sighting=(number, ref))


def _key_numbers(head: writer.Head, attempts: Sequence[tuple[int, int, str]]) -> dict[str, int]:
    """The numbers of all keys under which a receipt was sent but its present one, by the key."""
    return {key_of(head.uuid, number): number for _, number, _ in attempts if number != head.key_number}


def _decide_lookup(item: Result, head: writer.Head, attempts: Sequence[tuple[int, int, str]]) -> Decision | None:
    """An answer to a question by our key. It is about the receipt as it was asked: the same key, no number yet. What
    was sent after the question was asked, or was still under way then, it says nothing of.
    """
    if _is_past(item, head):
        return _decide_past(item, head, attempts)
    if head.provider_ref:
        return None
    capabilities = item.job.channel.driver.capabilities
    if _is_overtaken(item, head) and not isinstance(item.outcome, Accepted | Done):
        return asked_once_more(head, Decision())
    sent = fetch(
        "SELECT MIN(sent_at), MAX(sent_at) FROM delivery_attempt WHERE receipt_id = %s AND key_number = %s",
        [head.receipt_id, head.key_number],
    )[0]
    border = instant((item.job.asked_at or now()) - longest_call() - CLOCKS_APART)
    return after_lookup(
        head,
        item.outcome,  # type: ignore[arg-type]
        capabilities,
        is_settled=bool(sent[1] is not None and sent[1] < border)
        and max(number for number, _, _ in attempts) == item.job.attempt_number,
        repeat_is_safe=is_repeat_safe(capabilities, age=_age(sent[0]), longest_call=longest_call()),
        wanted=_wish(item.job),
    )


def _age(sent_at: Any) -> timedelta:
    """How long ago a time was that hand-written SQL gave back."""
    if sent_at is None:
        return timedelta()
    stamp = datetime.fromisoformat(sent_at).replace(tzinfo=UTC) if isinstance(sent_at, str) else sent_at
    age: timedelta = now() - stamp
    return age


def _absences_write(
    decisions: dict[int, Decision],
    heads: dict[int, writer.Head],
    attempts: Attempts,
    moved: set[int],
    actor: str,
) -> None:
    """What a question by key proved of earlier sendings, beside their own answers."""
    for receipt_id, decision in decisions.items():
        if decision.proves_absence and receipt_id in moved:
            key_number = heads[receipt_id].key_number
            absence_write(
                receipt_id=receipt_id,
                key_number=key_number,
                attempt_number=max(number for number, key, _ in attempts[receipt_id] if key == key_number),
                found_by=actor,
                text=decision.proves_absence,
            )


def _decide_poll(item: Result, head: writer.Head, attempts: Sequence[tuple[int, int, str]]) -> Decision | None:
    """An answer about a task: this receipt's, or that of a key which was given up while the question was under way."""
    job = item.job
    if not _is_stray(item, head):
        decision = after_poll(
            head,
            item.outcome,  # type: ignore[arg-type]
            job.channel.driver.capabilities,
            wanted=_wish(job),
        )
        is_older = _is_overtaken(item, head) and head.state in QUESTIONS and not isinstance(item.outcome, Done)
        return asked_once_more(head, decision) if is_older else decision
    if not isinstance(item.outcome, Done):
        return None
    if not head.provider_ref and not _is_past(item, head):  # its number was doubted meanwhile, and was right
        return after_poll(head, item.outcome, job.channel.driver.capabilities)
    number = _key_numbers(head, attempts).get(job.key, None if _is_past(item, head) else head.key_number)
    current = [outcome for _, key_number, outcome in attempts if key_number == head.key_number]
    if head.state is State.QUEUED and number is not None and all(outcome in PROVES_ABSENCE for outcome in current):
        return printed_under_earlier_key(head, item.outcome, number)
    text = _second(item.outcome.result)
    if number is None:
        return Decision(incident=text)
    question = asking(head, number, job.provider_ref)
    is_quiet = question is not None and head.state is State.CANCELLED  # its answer will tell what there is
    return Decision(touch=question, incident="" if is_quiet else text, sighting=(number, job.provider_ref))


def _wish(job: Job) -> str:
    """The wish that an answer may fulfil. One that waited long to be written fulfils none: the task is asked about once
    more.
    """
    is_fresh = job.asked_at is not None and now() - job.asked_at <= longest_call()
    return job.wanted if is_fresh else ""


def _is_overtaken(item: Result, head: writer.Head) -> bool:
    """Whether the provider has spoken of a receipt by itself since it was asked."""
    return item.job.words != head.words


def _second(result: FiscalResult) -> str:
    return f"Прежняя задача пробита: ФН {result.fn}, ФД {result.fd}, {result.total.human} ₽."


def _answers_write(results: Sequence[Result], owner: str) -> None:
    """The answer of each attempt, once. Late answers too: they are evidence.

    Each goes to an attempt of this worker only. After the database came back from a backup, or from a replica that had
    not heard the last, the same number may be another's sending.
    """
    if not results:
        return
    stamp = instant(now())
    rows: list[tuple[object, ...]] = []
    for item in results:
        outcome, error, text = stored_outcome(item.outcome)  # type: ignore[arg-type]
        rows.append(
            (
                item.job.receipt_id,
                item.job.attempt_number,
                outcome.value,
                item.status,
                item.answer,
                (error.code if error else "")[:40],
                text[:500],
            )
        )
    listed, parameters = rows_as("v", _ANSWER_COLUMNS, rows)
    execute(
        f"WITH {listed} UPDATE delivery_attempt AS a SET answered_at = %s, outcome = v.outcome, status = v.status, "
        "answer = v.answer, error_code = v.code, error_text = v.text FROM v "
        "WHERE a.receipt_id = v.id AND a.number = v.number AND a.owner = %s AND a.answered_at IS NULL",
        [*parameters, stamp, owner],
    )


def _is_stray(item: Result, head: writer.Head | None) -> bool:
    """Whether an answer about a task is not about the task that the receipt has now."""
    job = item.job
    if job.kind is not JobKind.POLL or head is None:
        return False
    return head.provider_ref != job.provider_ref or _is_past(item, head)


def _attempts(rows: Sequence[Sequence[Any]]) -> Attempts:
    found: Attempts = {}
    for receipt_id, number, key_number, outcome in rows:
        found.setdefault(receipt_id, []).append((number, key_number, outcome))
    return found


def _attempts_statement(receipt_ids: Sequence[int]) -> tuple[str, list[Any]]:
    """Every sending of the receipts and what is known of it."""
    these, parameters = one_of("receipt_id", receipt_ids)
    return f"SELECT receipt_id, number, key_number, outcome FROM delivery_attempt WHERE {these}", parameters


def _woken_statement(receipt_ids: Sequence[int]) -> tuple[str, list[Any]]:
    """Receipts about which a verified callback has come already, before the answer to their POST."""
    these, parameters = one_of("receipt_id", receipt_ids)
    return f"SELECT DISTINCT receipt_id FROM delivery_callback WHERE verdict = 'verified' AND {these}", parameters


def _sealed_statement(printed: Sequence[tuple[int, FiscalResult]]) -> tuple[str, list[Any]]:
    """What the documents of receipts say that the provider's figures must agree with."""
    these, parameters = one_of("id", [receipt_id for receipt_id, _ in printed])
    return f"SELECT id, sign, total_kopecks FROM receipts_receipt WHERE {these}", parameters


def _taken_statement(printed: Sequence[tuple[int, FiscalResult]]) -> tuple[str, list[Any]]:
    """Which of these fiscal documents are some receipt's already."""
    listed, pairs = rows_as("v", {"fn": "text", "fd": "bigint"}, [(result.fn, result.fd) for _, result in printed])
    return f"WITH {listed} SELECT f.fn, f.fd FROM v JOIN receipts_fiscalrecord f ON f.fd = v.fd AND f.fn = v.fn", pairs


def _contradictions(
    decisions: dict[int, Decision],
    heads: dict[int, writer.Head],
    *,
    sealed: Sequence[Sequence[Any]],
    taken: Sequence[Sequence[Any]],
) -> None:
    """Fiscal figures that cannot be this receipt's never make it «фискализирован»: a person has to look (R57-R59)."""
    done = {key: item.result for key, item in decisions.items() if item.result is not None}
    sent = {row[0]: Figures(CalculationSign(row[1]), Money(row[2])) for row in sealed}
    pairs = {(row[0], int(row[1])) for row in taken}
    for receipt_id, result in done.items():
        pair = (result.fn, result.fd)
        findings = check_result(sent[receipt_id], result, known={pair} & pairs)
        broken = [finding for finding in findings if finding.severity == "E"]
        if broken:
            change = decisions[receipt_id].change
            assert change is not None, "what has figures moves"
            decisions[receipt_id] = contradicted(heads[receipt_id], change, broken[0].code, broken[0].message)
            incident_open(receipt_id=receipt_id, code=FIGURES, text=broken[0].message)
        else:  # taken by this one; figures that were not believed take nothing
            pairs.add(pair)


def _revivals(decisions: dict[int, Decision], heads: dict[int, writer.Head]) -> None:
    """A cancelled receipt that printed after all becomes what it is, unless another has taken its place meanwhile."""
    revived = [key for key, item in decisions.items() if item.result and heads[key].state is State.CANCELLED]
    if not revived:
        return
    these, parameters = one_of("s.receipt_id", revived)
    replaced = fetch(
        "SELECT s.receipt_id, o.receipt_id FROM receipts_receiptstate s JOIN receipts_receiptstate o "
        f"ON o.obligation_id = s.obligation_id AND NOT (o.state = 'cancelled') WHERE {these}",
        parameters,
    )
    for receipt_id, other_id in replaced:
        head, result = heads[receipt_id], decisions[receipt_id].result
        assert result is not None
        if other_id not in decisions and _gives_way(other_id):
            continue
        if other_id in decisions:  # what becomes of that is written now: asked once more when it is known
            touch = writer.Touch(receipt_id, head.version, 0, 0, head.provider_ref)
            decisions[receipt_id] = Decision(touch=touch, sighting=_task(head))
            continue
        decisions[receipt_id] = Decision(
            touch=writer.Touch(receipt_id, head.version, None, 0, head.provider_ref),
            incident=_second(result),
            sighting=_task(head),
        )


def _task(head: writer.Head) -> tuple[int, str] | None:
    return (head.key_number, head.provider_ref) if head.provider_ref else None


def _evidence_write(decisions: dict[int, Decision], heads: dict[int, writer.Head]) -> None:
    """What a person has to look into, and what holds the fact until it is answered."""
    for receipt_id, decision in decisions.items():
        if decision.incident:
            incident_open(receipt_id=receipt_id, code=SECOND_DOCUMENT, text=decision.incident)
        if decision.sighting is not None:
            number, ref = decision.sighting
            sighted(receipt_id=receipt_id, key_number=number, provider_ref=ref)


def _without_wishes(results: Sequence[Result], doubted: set[int]) -> list[Result]:
    """A wish comes true only when nothing that was sighted of its receipt is without an answer."""
    return [
        replace(item, job=replace(item.job, wanted="")) if item.job.receipt_id in doubted else item for item in results
    ]


def _is_idle(item: Result, head: writer.Head, doubted: set[int]) -> bool:
    """A vague answer about a cancelled receipt that nobody needs: another question, or a person, has answered."""
    is_vague = isinstance(item.outcome, Unsure | NotFound | Pending | Unsent)
    return is_vague and head.state is State.CANCELLED and head.receipt_id not in doubted


def _laid_to_rest(head: writer.Head) -> Decision:
    """A cancelled receipt of which there is nothing to find out is not asked about any more."""
    return Decision(touch=writer.Touch(head.receipt_id, head.version, None, 0, head.provider_ref))


def _sightings_fail(results: Sequence[Result], heads: dict[int, writer.Head]) -> set[int]:
    """Tasks that were sighted and have failed, says the provider, asked after the word had come. The receipts about
    which a question was so answered.
    """
    found: set[int] = set()
    for item in results:
        head = heads.get(item.job.receipt_id)
        if head is None or item.job.kind is not JobKind.POLL or not isinstance(item.outcome, Failed):
            continue
        if not _is_overtaken(item, head):
            answered(receipt_id=head.receipt_id, provider_ref=item.job.provider_ref, answer="failed")
            found.add(head.receipt_id)
    return found


def _gives_way(receipt_id: int) -> bool:
    """Whether a receipt that was formed anew could be cancelled, since the former one has printed after all: what waits
    in the queue has nothing at the provider, its earlier tasks have failed.
    """
    head = writer.heads([receipt_id], lock=True)[receipt_id]
    if head.state is not State.QUEUED or not is_absent(receipt_id, head.key_number) or unanswered([receipt_id]):
        return False
    text = "Прежний чек этой оплаты, как оказалось, пробит: этот не нужен."
    return bool(writer.apply([writer.Change(head, State.CANCELLED, "former_printed", text)], actor="delivery"))


def _keys_renew(decisions: dict[int, Decision]) -> None:
    """The next key of a receipt that is sent anew is one that no sending has used, on whichever register."""
    renewed = {
        key: item.change
        for key, item in decisions.items()
        if item.change is not None and (item.change.key_number or 0) > item.change.head.key_number
    }
    if not renewed:
        return
    these, parameters = one_of("receipt_id", renewed)
    sql = f"SELECT receipt_id, MAX(key_number) FROM delivery_attempt WHERE {these} GROUP BY receipt_id"
    for receipt_id, used in fetch(sql, parameters):
        change = renewed[receipt_id]
        decisions[receipt_id] = replace(
            decisions[receipt_id], change=replace(change, key_number=max(change.key_number or 0, used + 1))
        )


def _fiscal_write(results: dict[int, FiscalResult]) -> None:
    stamp = instant(now())
    insert_rows(
        "receipts_fiscalrecord",
        _FISCAL_COLUMNS,
        [
            (
                receipt_id,
                result.fn,
                result.fd,
                result.fp,
                result.at,
                int(result.sign),
                result.total.kopecks,
                result.rn if len(result.rn) <= 16 else "",  # informational; the format knows 16 digits
                result.shift,
                result.number,
                result.url[:500],
                stamp,
            )
            for receipt_id, result in results.items()
        ],
    )


def _pauses(results: Sequence[Result], decisions: dict[int, Decision]) -> None:
    """Let queues rest as long as the answer that asks for most says. `hear_statement` has locked them, in its order."""
    pauses: dict[LaneKey, Pause] = {}
    for item in results:
        found = decisions.get(item.job.receipt_id)
        if found is None or found.pause is None:
            continue
        lane = item.job.channel.key
        if lane not in pauses or found.pause.seconds > pauses[lane].seconds:
            pauses[lane] = found.pause
    for lane, pause in pauses.items():
        lane_pause(*lane, seconds=pause.seconds, code=pause.code, text=pause.text)
