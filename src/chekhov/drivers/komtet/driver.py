"""The driver of «КОМТЕТ Касса», protocol v2.

A receipt is a task in a queue: POST takes it, GET tells what became of it, a notification shortens the wait. There is
no search by our key: a lost answer is found out by posting the same bytes again, which is answered `VLD11` with the
task if the first call had arrived. The key stays taken after an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from chekhov.drivers.access import AccessReport, AccessState
from chekhov.drivers.contract import (
    CallbackVerdict,
    Capabilities,
    Connection,
    Dedup,
    Flow,
    HttpReply,
    HttpRequest,
    PollOutcome,
    Problem,
    SettingField,
    Submission,
    SubmitOutcome,
    TaskRef,
    Unsent,
    Unsure,
)
from chekhov.drivers.flows import ask
from chekhov.drivers.komtet import callbacks, fit, outcomes, settings, wire
from chekhov.drivers.komtet.names import TAX_SYSTEMS, VAT_CODES
from chekhov.drivers.komtet.replies import identifier, json_object, words
from chekhov.drivers.komtet.signature import sign
from chekhov.fiscal.document import Document
from chekhov.fiscal.vocabulary import CalculationSign, Ffd

CAPABILITIES = Capabilities(
    lookup_by_key=False,
    dedup=Dedup.STRONG,
    callback=True,
    callback_signed=True,
    print_flag=True,
    queue_state=True,
    corrections=True,
    marking=True,
    agents=True,
    ffd=frozenset(Ffd),
    settlements=frozenset(CalculationSign),
    tax_systems=frozenset(TAX_SYSTEMS),
    vat_codes=frozenset(VAT_CODES),
    max_lines=fit.MAX_LINES,
    max_name=fit.MAX_NAME,
    max_key=wire.MAX_KEY,
    requests_per_second=5,
    min_poll_seconds=3,
    poll_schedule_seconds=(3, 5, 10, 20, 30, 60),
    retry_schedule_seconds=(2, 5, 15, 60),
    connect_timeout_seconds=5,
    read_timeout_seconds=30,
)

_PROBE = "/api/shop/v1/employees?start=0&limit=10"
"""Lists the shop's employees: harmless, and needs no queue, so it tells bad credentials from a foreign queue."""


class KomtetDriver:
    """Protocol v2 of «КОМТЕТ Касса»; `service_url` is the address for connections that name none."""

    def __init__(self, service_url: str | None = None) -> None:
        self._service_url = service_url

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    @property
    def settings(self) -> tuple[SettingField, ...]:
        return settings.fields(self._service_url)

    def connection(self, values: Mapping[str, str]) -> Connection:
        return settings.connection(values, self._service_url)

    def validate(self, document: Document) -> tuple[Problem, ...]:
        return tuple(fit.problems(document))

    def encode(self, document: Document, key: str, callback_url: str | None) -> bytes:
        return wire.encode(document, key, callback_url)

    def submit(self, connection: Connection, submission: Submission) -> Flow[SubmitOutcome]:
        path = f"/api/shop/v2/queues/{connection.queue}/task"
        reply = yield from ask(_request(connection, "POST", path, submission.body))
        if not isinstance(reply, HttpReply):
            return reply
        return outcomes.submission(reply, submission.key, connection.queue)

    def poll(self, connection: Connection, ref: TaskRef) -> Flow[PollOutcome]:
        if not ref.provider_id:
            return Unsure("Номер задачи неизвестен: спросить о чеке нельзя, ждём уведомления или сверки.")
        reply = yield from ask(_request(connection, "GET", f"/api/shop/v2/tasks/{quote(ref.provider_id, safe='')}"))
        if not isinstance(reply, HttpReply):
            return reply
        return outcomes.task_state(reply, ref)

    def check_access(self, connection: Connection) -> Flow[AccessReport]:
        """Read the queue; where access is refused, ask once more whether the credentials or the queue are to blame.

        The service gives the same code for both.
        """
        reply = yield from ask(_request(connection, "GET", f"/api/shop/v2/queues/{connection.queue}"))
        if not isinstance(reply, HttpReply):
            return _no_reply(reply)
        report = _queue_report(reply, connection.queue)
        if report.state is not AccessState.REFUSED:
            return report
        probe = yield from ask(_request(connection, "GET", _PROBE))
        if not isinstance(probe, HttpReply):
            return report
        answer = json_object(probe.body)
        if answer is None:
            return report
        if probe.status == 200:
            return AccessReport(AccessState.FOREIGN_QUEUE, code=report.code)
        if outcomes.code_of(answer) == outcomes.NO_SERVICE:
            return AccessReport(AccessState.NO_SERVICE, code=outcomes.NO_SERVICE)
        if probe.status in (401, 403):
            return AccessReport(AccessState.WRONG_CREDENTIALS, code=report.code)
        return report

    def verify_callback(
        self, secret: str, urls: Sequence[str], raw_body: bytes, headers: Mapping[str, str]
    ) -> CallbackVerdict:
        return callbacks.verify(secret, urls, raw_body, headers)

    def describe(self, document: Document) -> str:
        """One line for a log: sign, correction or not, number of lines, total, payment kinds.

        The buyer, the cashier, the seller and the goods are left out on purpose.
        """
        kinds = ", ".join(f"{payment.kind.label} {payment.amount}" for payment in document.payments)
        name = document.sign.label if document.correction is None else f"Коррекция: {document.sign.label}"
        return f"{name}; позиций {len(document.lines)}; итог {document.total}; {kinds}"


def _request(connection: Connection, method: str, path: str, body: bytes = b"") -> HttpRequest:
    """A signed request: the shop's id goes bare, without a scheme word. Redirects are not signed: never follow one."""
    url = connection.service_url + path
    headers = {
        "Authorization": connection.shop_id,
        "X-HMAC-Signature": sign(connection.secret, method, url, body),
        "Accept": "application/json",
    }
    if method == "POST":
        headers["Content-Type"] = "application/json"
    return HttpRequest(method, url, headers, body)


def _no_reply(outcome: Unsent | Unsure) -> AccessReport:
    state = AccessState.UNREACHABLE if isinstance(outcome, Unsent) else AccessState.NO_ANSWER
    return AccessReport(state, reason=outcome.reason)


def _queue_report(reply: HttpReply, queue: int) -> AccessReport:
    """What the answer to `GET …/queues/{queue}` says; `REFUSED` asks for the probe."""
    answer = json_object(reply.body)
    code = outcomes.code_of(answer) or str(reply.status)
    if code == outcomes.NO_SERVICE:
        return AccessReport(AccessState.NO_SERVICE, code=code)
    if reply.status >= 500 or reply.status == 429:
        return AccessReport(AccessState.SERVICE_FAILING, code=code)
    if answer is None or 300 <= reply.status < 400:
        return AccessReport(AccessState.NOT_THE_SERVICE, code=code)
    if reply.status in (401, 403, 404) or code == outcomes.UNAUTHORISED:
        return AccessReport(AccessState.REFUSED, code=code)
    if reply.status != 200:
        return AccessReport(AccessState.UNCLEAR, code=code)
    if identifier(answer.get("id")) != str(queue):
        return AccessReport(AccessState.NOT_THE_SERVICE, code=code)
    states = {"active": AccessState.OK, "passive": AccessState.PASSIVE_QUEUE}
    state = states.get(words(answer.get("state")), AccessState.UNCLEAR)
    return AccessReport(state, queue_name=words(answer.get("name"))[:255])
