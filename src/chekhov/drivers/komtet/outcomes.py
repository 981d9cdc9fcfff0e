"""Which answer means what. Branches on the status and the stable `code` only, never on the texts.

::

    POST …/task                                                       outcome
    200, names our external_id, has a task id                         Accepted
    200, anything else                                                Unsure: an answer that is not ours
    VLD11 with a task (422)                                           Accepted, was_known, adopts the task
    VLD11 without a task                                              Accepted, was_known, id unknown
    VLD00, VLD12, VLD13, any other code with 422                      Refused: input, stop
    401, 403, 404 as JSON (AUT00)                                     Refused: config, same key
    SRV00, whatever the status                                        Refused: config, same key
    429, unless it is a page of HTML                                  Refused: temporary, same key
    3xx, 5xx (SYS00), 409, other 4xx, HTML, half an answer            Unsure

A refusal has to be said by the service itself, as JSON: a page of HTML, whatever its status, may come from something
that stands in front of it and proves nothing of what is behind.
"""

from __future__ import annotations

from chekhov.drivers.contract import (
    Accepted,
    Done,
    ErrorKind,
    Failed,
    HttpReply,
    KeyRule,
    Pending,
    PollOutcome,
    ProviderError,
    Refused,
    SubmitOutcome,
    TaskRef,
    Unsure,
)
from chekhov.drivers.komtet.replies import (
    JsonObject,
    Unreadable,
    external_id,
    fiscal_result,
    identifier,
    json_object,
    retry_after_seconds,
    words,
)

DUPLICATE = "VLD11"
NO_SERVICE = "SRV00"
UNAUTHORISED = "AUT00"

_ACCESS_STEP = "Проверьте ShopID, Secret и ID очереди в карточке кассы. Чек уйдёт сам, когда доступ восстановится."
_INPUT_STEP = "Отмените чек, исправьте данные счёта и сформируйте чек заново."
_NEXT_STEPS = {
    UNAUTHORISED: _ACCESS_STEP,
    NO_SERVICE: "Оплатите тариф в кабинете «КОМТЕТ Касса». Чек уйдёт сам, когда услуга заработает.",
    "VLD00": _INPUT_STEP,
    "VLD12": "Цена содержит доли копейки. " + _INPUT_STEP,
    "VLD13": "Сервис не согласен с суммой позиции. " + _INPUT_STEP,
}
_DEVICE_STEP = "Устраните причину на кассе, затем пробейте чек повторно: перед этим прежняя задача будет перепроверена."


def code_of(answer: JsonObject | None) -> str:
    """The stable code of an error body; empty if there is none."""
    return words(answer.get("code"))[:32] if answer is not None else ""


def error_of(reply: HttpReply, answer: JsonObject | None) -> ProviderError:
    """Classify an answer that is not a success, by its code first and by its status then."""
    code = code_of(answer)
    kind, key_rule = _class(reply.status, code)
    text = ""
    if answer is not None:
        told = (words(answer.get("title")), words(answer.get("description")))
        text = words(". ".join(part for part in told if part))
    next_step = _NEXT_STEPS.get(code, "")
    if not next_step and kind is ErrorKind.CONFIG:
        next_step = _ACCESS_STEP if reply.status >= 400 else "Проверьте адрес сервиса: он отвечает перенаправлением."
    if not next_step and kind is ErrorKind.INPUT:
        next_step = _INPUT_STEP
    return ProviderError(
        kind=kind,
        key_rule=key_rule,
        code=code or str(reply.status),
        text=text or f"Сервис ответил кодом {reply.status} без пояснения",
        next_step=next_step,
        retry_after_seconds=retry_after_seconds(reply.headers),
        status=reply.status,
    )


def _class(status: int, code: str) -> tuple[ErrorKind, KeyRule]:
    if code == NO_SERVICE:
        return ErrorKind.CONFIG, KeyRule.SAME
    if status == 429 or status >= 500:
        return ErrorKind.TEMPORARY, KeyRule.SAME
    if code == UNAUTHORISED or status in (401, 403, 404) or 300 <= status < 400:
        return ErrorKind.CONFIG, KeyRule.SAME
    if status == 422 or (status == 400 and code.startswith("VLD")):
        return ErrorKind.INPUT, KeyRule.STOP
    return ErrorKind.UNKNOWN, KeyRule.SAME


def submission(reply: HttpReply, key: str, queue: int) -> SubmitOutcome:
    """What the answer to a POST of a task proves."""
    answer = json_object(reply.body)
    code = code_of(answer)
    if reply.status == 200 and answer is not None and external_id(answer.get("external_id")) == key:
        task_id = identifier(answer.get("id"))
        if task_id:
            return Accepted(
                _ref(key, task_id, answer), warnings=_warnings(answer, queue), stage=words(answer.get("state"))
            )
    error = error_of(reply, answer)
    if answer is not None and code == DUPLICATE and 400 <= reply.status < 500:
        return _duplicate(answer, key, queue)
    if answer is not None and "task" in answer:
        return Unsure("Сервис назвал задачу там, где её не должно быть: принят ли чек, неизвестно.", error)
    if code == NO_SERVICE:
        return Refused(error)
    if reply.status == 200:
        return Unsure("Сервис ответил успехом, но в ответе не наш чек.")
    if reply.status == 429 and reply.body.lstrip()[:1] != b"<":
        return Refused(error)
    if answer is None or not 400 <= reply.status < 500 or error.kind is ErrorKind.UNKNOWN:
        return Unsure(f"Сервис ответил кодом {reply.status}: принят ли чек, неизвестно.", error)
    if reply.status == 422 and not code:
        return Unsure("Сервис отказал без кода причины: принят ли чек, неизвестно.", error)
    return Refused(error)


def _duplicate(answer: JsonObject, key: str, queue: int) -> SubmitOutcome:
    """The key is taken: an earlier call had arrived. Its task is adopted; another's task is not."""
    task = answer.get("task")
    if not isinstance(task, dict):
        task = {}
    if "external_id" in task and external_id(task["external_id"]) != key:
        return Unsure("Сервис считает чек повтором, но называет чужую задачу.")
    task_id = identifier(task.get("id"))
    warnings = _warnings(task, queue)
    if not task_id:
        warnings = (*warnings, "Сервис принял чек раньше, но не назвал номер задачи: сверьте её в кабинете сервиса.")
    return Accepted(_ref(key, task_id, task), was_known=True, warnings=warnings, stage=words(task.get("state")))


def _ref(key: str, task_id: str, task: JsonObject) -> TaskRef:
    return TaskRef(key=key, provider_id=task_id, provider_uuid=words(task.get("uuid"))[:64])


def _warnings(task: JsonObject, queue: int) -> tuple[str, ...]:
    told = identifier(task.get("print_queue_id"))
    return (f"Сервис назвал другую очередь: {told}.",) if told and told != str(queue) else ()


def task_state(reply: HttpReply, ref: TaskRef) -> PollOutcome:
    """What the answer to `GET …/tasks/{id}` proves.

    Only `done` with complete fiscal data proves a receipt. A 4xx proves nothing: the status for an unknown or another
    shop's task is not documented, so it is never read as absence. In state `error` the fiscal data is not looked at:
    the agent repeats the figures of the last document there.
    """
    answer = json_object(reply.body)
    if reply.status != 200 or answer is None:
        return Unsure("Состояние задачи прочитать не удалось.", error_of(reply, answer))
    if external_id(answer.get("external_id")) != ref.key:
        return Unsure("Сервис ответил не о нашем чеке.")
    if "id" in answer and identifier(answer["id"]) != ref.provider_id:
        return Unsure("Сервис ответил о другой задаче.")
    stage = words(answer.get("state"))[:32]
    if stage == "error":
        return Failed(ref, _device_error(answer))
    if stage != "done":
        return Pending(stage)
    try:
        result = fiscal_result(answer)
    except Unreadable as fault:
        return Unsure(f"Сервис сообщил о пробитом чеке, но поле {fault} в фискальных данных не читается.")
    return Pending(stage) if result is None else Done(ref, result)


def _device_error(answer: JsonObject) -> ProviderError:
    return ProviderError(
        kind=ErrorKind.DEVICE,
        key_rule=KeyRule.NEW,
        code="error",
        text=words(answer.get("error_description")) or "Касса не назвала причину",
        next_step=_DEVICE_STEP,
        status=200,
    )
