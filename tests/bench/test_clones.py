"""Old receipts for the bench: clones that the application itself takes for its own."""

import hashlib
import hmac
from collections import Counter

import pytest

from bench.clones import BROKEN, CANCELLED, FISCALIZED, TABLES, VARYING, Press, Template, chain, escaped

KEY = b"k" * 32
ATTEMPT_KEY = "7a92e35a-3d7a-5bd6-9473-c2be9f855a11"


def templates(postgresql=False):
    body = f'{{"external_id":"{ATTEMPT_KEY}","name":"50 %"}}'.encode()
    values = {
        "sales_customer": {"email": "buyer0@example.ru", "name": "O'Neil"},
        "receipts_receipt": {
            "document": '{"buyer":{"email":"buyer0@example.ru"},"seller":"ООО \\"А\\""}',
            "kind": "receipt",
        },
        "delivery_attempt": {
            "key": ATTEMPT_KEY,
            "body": "\\x" + body.hex() if postgresql else body,
            "answer": f'{{"external_id":"{ATTEMPT_KEY}"}}',
            "error_text": "",
        },
    }
    made = {}
    for table in TABLES:
        own = {**dict.fromkeys(VARYING[table]), "constant": "a\tb'c%\\", **values.get(table, {})}
        made[table] = Template(table, tuple(own), own)
    return made


def press(postgresql=False):
    first = dict.fromkeys(TABLES, 101)
    return Press(templates(postgresql), first, 50, key=KEY, postgresql=postgresql)


def rows(count=400, postgresql=False):
    made = press(postgresql)
    made.buyers(0, 50, "2024-01-01 00:00:00.000001")
    return made.sales(range(count), 1_700_000_000, 60.0)


def as_dicts(found, table):
    return [dict(zip(VARYING[table], row, strict=True)) for row in found[table]]


def test_every_reference_leads_to_a_row():
    found = rows()
    ids = {table: {row[0] for row in found[table]} for table in found}
    for table, column, parent in [
        ("sales_fact", "invoice_id", "sales_invoice"),
        ("receipts_obligation", "fact_id", "sales_fact"),
        ("receipts_receipt", "obligation_id", "receipts_obligation"),
        ("receipts_receiptstate", "receipt_id", "receipts_receipt"),
        ("receipts_receiptevent", "receipt_id", "receipts_receipt"),
        ("delivery_attempt", "receipt_id", "receipts_receipt"),
        ("receipts_fiscalrecord", "receipt_id", "receipts_receipt"),
    ]:
        assert {row[column] for row in as_dicts(found, table)} <= ids[parent], (table, column)
    assert all(101 <= row["customer_id"] < 151 for row in as_dicts(found, "sales_invoice"))


def test_an_obligation_has_one_live_receipt_and_one_in_two_hundred_was_formed_anew():
    found = rows()
    live = Counter(
        row["obligation_id"] for row in as_dicts(found, "receipts_receiptstate") if row["state"] != "cancelled"
    )
    assert set(live.values()) == {1}
    assert [row["generation"] for row in as_dicts(found, "receipts_receipt")].count(2) == 2
    uuids = [row["uuid"] for row in as_dicts(found, "receipts_receipt")]
    assert len(set(uuids)) == len(uuids) == 402


def test_the_bytes_that_were_sent_name_the_receipts_own_key_and_buyer():
    found = rows(3)
    for receipt, attempt in zip(as_dicts(found, "receipts_receipt"), as_dicts(found, "delivery_attempt"), strict=True):
        assert attempt["key"].replace("-", "") == receipt["uuid"]
        assert attempt["key"].encode() in attempt["body"]
        assert ATTEMPT_KEY.encode() not in attempt["body"]
        assert receipt["contact"] in receipt["document"]


@pytest.mark.parametrize("steps", [FISCALIZED, BROKEN, CANCELLED])
def test_events_are_chained_one_to_the_other(steps):
    codes = chain(KEY, "ab" * 16, steps, 1_700_000_000)
    before = ""
    for number, (step, code) in enumerate(zip(steps, codes, strict=True), 1):
        words = [before, "ab" * 16, str(number), *step[:4], "", f"1700000000.{step[4]}"]
        assert code == hmac.new(KEY, "\x1f".join(words).encode(), hashlib.sha256).hexdigest()
        before = code


def test_steps_follow_each_other():
    for steps in (FISCALIZED, BROKEN, CANCELLED):
        assert [step[0] for step in steps] == ["", *(step[1] for step in steps[:-1])]
        assert [step[4] for step in steps] == sorted(step[4] for step in steps)


def test_a_line_of_copy_keeps_tabs_backslashes_and_percent_signs():
    _sql, line = templates()["sales_fact"].copy()
    filled = line % tuple(range(len(VARYING["sales_fact"])))
    assert filled.endswith("\ta\\tb'c%\\\\\n")
    assert escaped("a\\b\nc") == "a\\\\b\\nc"


def test_an_insert_has_a_mark_for_each_varying_column_and_quotes_the_others():
    sql = templates()["sales_customer"].insert()
    assert sql.count("?") == len(VARYING["sales_customer"])
    assert "'O''Neil'" in sql


def test_bytes_for_postgresql_are_hexadecimal():
    body = as_dicts(rows(1, postgresql=True), "delivery_attempt")[0]["body"]
    assert body.startswith("\\\\x")
    assert b'"name":"50 %"' in bytes.fromhex(body[3:])


def test_a_sale_that_cannot_be_cloned_is_refused():
    broken = templates()
    broken["delivery_attempt"].values["answer"] = "{}"
    with pytest.raises(ValueError, match="not as expected"):
        Press(broken, dict.fromkeys(TABLES, 1), 50, key=KEY, postgresql=False)
