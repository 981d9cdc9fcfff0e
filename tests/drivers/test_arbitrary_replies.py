"""Whatever comes back, no flow breaks, and none says more than the answer proves."""

from __future__ import annotations

import json

from hypothesis import example, given
from hypothesis import strategies as st

from chekhov.drivers.access import AccessReport, AccessState
from chekhov.drivers.contract import Accepted, Done, Failed, HttpReply, Pending, Refused, TaskRef, Unsure
from chekhov.drivers.flows import drive
from tests.drivers.samples import CONNECTION, DONE, DRIVER, FISCAL_DATA, KEY, SUBMISSION, TASK, Wire

statuses = st.one_of(st.sampled_from([200, 401, 403, 404, 422, 429, 500]), st.integers(100, 599))
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=True),
    st.text(max_size=8),
    st.sampled_from([KEY, "done", "error", "new", "AUT00", "VLD00", "VLD11", "SRV00", 90210, "90210", 777, "active"]),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
)
KEYS = [*DONE, *TASK, "code", "title", "description", "task", "name"]
objects = st.dictionaries(st.sampled_from(KEYS), values, max_size=8)
tasks = st.fixed_dictionaries({}, optional={name: st.one_of(st.just(value), values) for name, value in DONE.items()})
fiscal = st.fixed_dictionaries(
    {}, optional={name: st.one_of(st.just(value), values) for name, value in FISCAL_DATA.items()}
)


@st.composite
def nearly(draw: st.DrawFn) -> object:
    """Answers that are almost right, where mistakes hide."""
    body = {**DONE, "fiscal_data": {**FISCAL_DATA, **draw(fiscal)}, **draw(tasks), **draw(objects)}
    if draw(st.booleans()):
        body["task"] = draw(st.one_of(tasks, values))
    return body


bodies = st.one_of(
    st.binary(max_size=100),
    st.one_of(values, objects, tasks, nearly()).map(lambda value: json.dumps(value).encode()),
    st.tuples(nearly(), st.integers(0, 400)).map(lambda pair: json.dumps(pair[0]).encode()[: pair[1]]),
)
replies = st.builds(
    HttpReply,
    statuses,
    st.dictionaries(st.sampled_from(["Retry-After", "Content-Type", "X"]), st.text(max_size=10), max_size=3),
    bodies,
)


def read(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


@given(replies)
@example(HttpReply(200, {}, b"[" * 100_000))
@example(HttpReply(422, {}, b'{"code":' + b"9" * 5000 + b"}"))
@example(HttpReply(422, {}, b'{"code":"VLD11","task":{"id":1e400}}'))
def test_a_submission_says_no_more_than_the_answer_proves(reply: HttpReply) -> None:
    outcome = drive(DRIVER.submit(CONNECTION, SUBMISSION), Wire(reply))

    assert isinstance(outcome, Accepted | Refused | Unsure)
    told = read(reply.body)
    if isinstance(outcome, Accepted):
        assert isinstance(told, dict)
        assert outcome.ref.key == KEY
        if outcome.was_known:
            assert told["code"] == "VLD11"
            assert 400 <= reply.status < 500
        else:
            assert reply.status == 200
            assert told["external_id"] == KEY
            assert outcome.ref.provider_id == str(int(told["id"]))
    if isinstance(outcome, Refused) and reply.status != 429:
        assert isinstance(told, dict)
        assert told.get("code") == "SRV00" or 400 <= reply.status < 500
        assert "task" not in told
    if reply.status >= 500 or 300 <= reply.status < 400:
        assert isinstance(outcome, Unsure) or (isinstance(told, dict) and told.get("code") == "SRV00")


@given(replies)
@example(HttpReply(200, {}, b"[" * 100_000))
def test_a_poll_says_no_more_than_the_answer_proves(reply: HttpReply) -> None:
    outcome = drive(DRIVER.poll(CONNECTION, TaskRef(KEY, "90210")), Wire(reply))

    assert isinstance(outcome, Pending | Done | Failed | Unsure)
    if isinstance(outcome, Unsure):
        return
    told = read(reply.body)
    assert reply.status == 200
    assert isinstance(told, dict)
    assert told["external_id"] == KEY
    if isinstance(outcome, Done):
        assert told["state"] == "done"
        assert all(told["fiscal_data"][name] not in (None, "") for name in ("i", "fn", "t", "n", "fp", "s"))
        assert len(outcome.result.fn) == 16
    if isinstance(outcome, Failed):
        assert told["state"] == "error"


@given(replies, replies)
def test_a_check_of_access_always_reports(first: HttpReply, second: HttpReply) -> None:
    report = drive(DRIVER.check_access(CONNECTION), Wire(first, second))

    assert isinstance(report, AccessReport)
    if report.state in (AccessState.OK, AccessState.PASSIVE_QUEUE):
        assert first.status == 200
