"""Reading receipts: pages, the document, the figures of the register, the history; and the directories."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from chekhov.delivery.models import Attempt
from chekhov.receipts import writer
from chekhov.receipts.models import FiscalRecord, Receipt
from chekhov.receipts.states import State
from tests.api.conftest import Caller, buyer, invoice, payment

AT = datetime(2026, 1, 20, 7, 15, 3, tzinfo=UTC)


def move(receipt: Receipt, *states: State, **fields: str) -> None:
    """Take a receipt through states by the single writer."""
    for state in states:
        with transaction.atomic():
            head = writer.heads([receipt.pk])[receipt.pk]
            assert writer.apply([writer.Change(head, state, "test", **fields)], actor="worker")


def attempt(receipt: Receipt, **fields: object) -> None:
    Attempt.objects.create(
        receipt=receipt,
        number=1,
        key_number=1,
        key=str(receipt.uuid),
        account=receipt.account,
        queue=receipt.queue,
        callback_url="",
        body=b"{}",
        owner="worker",
        sent_at=AT,
        **fields,
    )


@pytest.fixture
def paid(billed: Caller) -> Receipt:
    billed.made("invoices/A-1/payments/P-1", payment())
    return Receipt.objects.get()


def test_a_queued_receipt_shows_its_document(billed: Caller, paid: Receipt) -> None:
    answer = billed.get(f"receipts/{paid.uuid}")[1]
    assert (answer["id"], answer["state"], answer["state_label"]) == (str(paid.uuid), "queued", "В очереди")
    assert (answer["customer"], answer["invoice"]) == ("C-1", "A-1")
    assert answer["fact"] == {"kind": "payment", "id": "P-1"}
    assert (answer["fiscal"], answer["attempts"], answer["error"], answer["notices"]) == (None, [], None, [])
    document = answer["document"]
    assert document["sign"] == {"tag": 1054, "value": 1, "label": "Приход"}
    assert document["payments"] == [{"tag": 1081, "label": "Безналичными", "amount": "2100.00"}]
    assert [line["sum"] for line in document["lines"]] == ["900.00", "1200.00"]
    assert {line["method"]["label"] for line in document["lines"]} == {"Аванс"}
    assert document["lines"][0]["vat"] == {"tag": 1199, "value": 12, "label": "22/122"}
    assert (document["time_zone"], document["settled_on"], document["internet"]) == ("+03:00", "2026-01-20", True)
    assert document["buyer"]["email"] == "anna@example.com"


def test_a_fiscalized_receipt_shows_the_figures_of_the_register(billed: Caller, paid: Receipt) -> None:
    attempt(paid, answered_at=AT, outcome="accepted", status=200, answer="{}")
    move(paid, State.SENDING, State.ACCEPTED, State.FISCALIZED)
    FiscalRecord.objects.create(
        receipt=paid,
        fn="9999078900012345",
        fd=4711,
        fp="2397484188",
        printed_at="20260120T1015",
        sign=1,
        total_kopecks=210000,
        rn="0000000001012345",
        shift=3,
        number=7,
        url="https://ofd.example/1",
        recorded_at=AT,
    )
    answer = billed.get(f"receipts/{paid.uuid}")[1]
    assert answer["state"] == "fiscalized"
    assert answer["fiscal"] == {
        "fn": "9999078900012345",
        "fd": 4711,
        "fp": "2397484188",
        "at": "2026-01-20T10:15:00+03:00",
        "rn": "0000000001012345",
        "shift": 3,
        "number": 7,
        "total": "2100.00",
        "qr": "t=20260120T1015&s=2100.00&fn=9999078900012345&i=4711&fp=2397484188&n=1",
        "ofd_url": "https://ofd.example/1",
    }
    assert answer["attempts"] == [
        {
            "number": 1,
            "sent_at": "2026-01-20T07:15:03Z",
            "answered_at": "2026-01-20T07:15:03Z",
            "outcome": "accepted",
            "status": 200,
            "error": None,
        }
    ]
    assert billed.get("invoices/A-1/payments/P-1")[1]["receipts"][0]["state"] == "fiscalized"


def test_a_failed_receipt_says_what_to_do(billed: Caller, paid: Receipt) -> None:
    attempt(paid, answered_at=AT, outcome="unsure", status=502, error_code="502", error_text="Bad gateway")
    move(paid, State.SENDING, State.FAILED, error_code="-3804", error_text="Нет бумаги")
    answer = billed.get(f"receipts/{paid.uuid}")[1]
    assert (answer["error"]["code"], answer["error"]["text"]) == ("-3804", "Нет бумаги")
    assert answer["error"]["next_step"]
    assert answer["attempts"][0]["error"] == {"code": "502", "text": "Bad gateway", "next_step": ""}


def test_the_history_and_its_chain(billed: Caller, paid: Receipt) -> None:
    move(paid, State.SENDING, State.UNKNOWN)
    answer = billed.get(f"receipts/{paid.uuid}/events")[1]
    assert [(event["number"], event["from"], event["to"]) for event in answer["events"]] == [
        (1, None, "queued"),
        (2, "queued", "sending"),
        (3, "sending", "unknown"),
    ]
    assert answer["events"][0]["actor"].startswith("api:")
    assert answer["chain_whole"] is True


def many(api: Caller, count: int) -> list[str]:
    """Payments of one invoice, a rouble each; the receipts' ids, newest first."""
    api.made("invoices/A-2", invoice())
    items = [{"path": f"invoices/A-2/payments/{number}", "body": payment("1.00")} for number in range(count)]
    answers = api("POST", "batch", items)[1]
    return [answer["body"]["receipts"][0]["id"] for answer in reversed(answers)]


def test_pages_go_from_the_newest_and_new_receipts_do_not_disturb_them(billed: Caller) -> None:
    ids = many(billed, 25)
    seen: list[str] = []
    cursor = ""
    for _ in range(3):
        page = billed.get(f"receipts?limit=10{cursor}")[1]
        seen += [item["id"] for item in page["receipts"]]
        billed.put("customers/C-1/topups/" + str(len(seen)), payment("1.00"))
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ids
    assert page["next_cursor"] is None


def test_a_page_costs_two_reads_and_no_count(billed: Caller) -> None:
    many(billed, 60)
    with CaptureQueriesContext(connection) as queries:
        assert len(billed.get("receipts")[1]["receipts"]) == 50
    assert len(queries) == 2
    assert not any("COUNT(" in query["sql"].upper() for query in queries)


def test_filters(billed: Caller, paid: Receipt) -> None:
    billed.made("customers/C-2", buyer())
    topup = billed.made("customers/C-2/topups/T-1", payment("5.00"))["receipts"][0]
    move(Receipt.objects.get(uuid=topup["id"]), State.SENDING, State.UNKNOWN)

    def ids(query: str) -> list[str]:
        status, page = billed.get(f"receipts?{query}")
        assert status == 200, page
        return [item["id"] for item in page["receipts"]]

    both = [topup["id"], str(paid.uuid)]
    assert ids("") == both
    assert ids("invoice=A-1") == [str(paid.uuid)]
    assert ids("invoice=none") == []
    assert ids("invoice=%20") == []
    assert ids("customer=C-2") == [topup["id"]]
    assert ids("state=unknown") == [topup["id"]]
    assert ids("state=queued&customer=C-2") == []
    assert ids(f"register={topup['register']}") == both
    assert ids("register=0a8e1f3c-6a0b-5c0e-9f61-2f5d1f0f8f11") == []
    assert ids("from=2020-01-01T00:00:00Z") == both
    assert ids("to=2020-01-01T00:00:00%2B03:00") == []
    assert ids("limit=1") == both[:1]


@pytest.mark.parametrize(
    ("query", "path", "code"),
    [
        ("state=lost", "state", "choice"),
        ("register=7", "register", "type"),
        ("from=2026-01-01", "from", "instant"),
        ("to=now", "to", "instant"),
        ("limit=0", "limit", "limit"),
        ("limit=101", "limit", "limit"),
        ("limit=ten", "limit", "type"),
        ("cursor=%D1%8F", "cursor", "cursor"),
        ("cursor=-1", "cursor", "cursor"),
        ("cursor=" + "9" * 200, "cursor", "cursor"),
        ("invoice=%00", "invoice", "text"),
        ("stat=queued", "stat", "unknown_field"),
    ],
)
def test_a_wrong_filter(billed: Caller, query: str, path: str, code: str) -> None:
    status, problem = billed.get(f"receipts?{query}")
    assert (status, problem["code"]) == (422, "invalid")
    assert (problem["errors"][0]["path"], problem["errors"][0]["code"]) == (path, code)


def test_registers_and_regions(api: Caller) -> None:
    registers = api.get("registers")[1]["registers"]
    assert [(item["region"], item["active_online"], item["provider"]) for item in registers] == [
        ("msk", True, "test"),
        ("spb", False, "test"),
    ]
    assert "secret" not in str(registers).lower()
    regions = {region["code"]: region for region in api.get("regions")[1]["regions"]}
    assert list(regions) == ["ekb", "msk", "spb"]
    assert (regions["msk"]["register"]["id"], regions["msk"]["reason"]) == (registers[0]["id"], None)
    assert (regions["spb"]["register"], regions["spb"]["reason"]["code"]) == (None, "register_inactive")
    assert (regions["ekb"]["register"], regions["ekb"]["reason"]["code"]) == (None, "no_register")
    assert regions["ekb"]["steps"]


def test_a_late_receipt_says_what_it_waits_for(billed: Caller, paid: Receipt) -> None:
    with transaction.atomic():
        head = writer.heads([paid.pk])[paid.pk]
        writer.amend([writer.Amendment(head, "held_late", error_code="late", error_text="Опоздал")], actor="delivery")

    _, found = billed.get(f"receipts/{paid.uuid}")

    assert found["state"] == "queued"
    assert found["standby"] is None
    assert found["error"]["code"] == "late"
    assert "чек коррекции" in found["error"]["next_step"]


def test_a_register_says_why_it_sends_nothing(billed: Caller, paid: Receipt) -> None:
    from chekhov.delivery.lanes import lanes_ensure
    from chekhov.delivery.models import Breaker, Lane

    assert billed.get("registers")[1]["registers"][0]["hold"] is None
    lanes_ensure()
    Lane.objects.update(breaker=Breaker.OPEN.value, breaker_text="Сервис не ответил вовремя.")

    hold = billed.get("registers")[1]["registers"][0]["hold"]

    assert hold["code"] == "breaker"
    assert "не ответил" in hold["text"]
