"""What the service refuses and how: codes, statuses, descriptions, and that nothing is stored."""

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chekhov.emulator.config import Switches
from chekhov.emulator.refusals import Refusal
from chekhov.emulator.register import Register, business_now, device_error
from chekhov.emulator.wire import check_receipt, parse

DESCRIBED = "description"

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["sell", "sellCorrection", "1e400", "0.005"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = [
    ("external_id",), ("intent",), ("client",), ("company",), ("company", "sno"), ("positions",), ("positions", 0),
    ("positions", 0, "price"), ("positions", 0, "quantity"), ("positions", 0, "total"), ("positions", 0, "excise"),
    ("positions", 0, "mark_code"), ("positions", 0, "agent_info"), ("payments",), ("payments", 0, "sum"),
    ("correction_info",), ("timezone",), ("callback_url",), ("cashier",), ("print",),
]  # fmt: skip


def put(document, path, value):
    """Set a member deep inside; ``...`` deletes it."""
    *way, last = path
    for step in way:
        document = document[step]
    if value is ...:
        del document[last]
    else:
        document[last] = value


# path of the change, its value, code, beginning of the description
BAD_V2 = [
    (("external_id",), ..., "VLD00", "external_id: "),
    (("external_id",), "", "VLD00", "external_id: "),
    (("external_id",), True, "VLD00", "external_id: "),
    (("external_id",), 1.5, "VLD00", "external_id: "),
    (("external_id",), None, "VLD00", "external_id: None is not of type "),
    (("intent",), "sale", "VLD00", "intent: "),
    (("intent",), 1, "VLD00", "intent: "),
    (("intent",), ["sell"], "VLD00", "intent: "),
    (("print",), "false", "VLD00", "print: "),
    (("print",), 0, "VLD00", "print: "),
    (("internet",), None, "VLD00", "internet: None"),
    (("client",), ..., "VLD00", "client: "),
    (("client", "email"), None, "VLD00", "client->email: None is not of type string"),
    (("client", "phone"), 79001112233, "VLD00", "client->phone: "),
    (("company",), ..., "VLD00", "company: "),
    (("company", "sno"), "1", "VLD00", "company->sno: '1' is not of type integer"),
    (("company", "sno"), 3, "VLD00", "company->sno: 3 is not one of"),
    (("company", "sno"), True, "VLD00", "company->sno: "),
    (("company", "payment_address"), ..., "VLD00", "company->payment_address: "),
    (("timezone",), 0, "VLD00", "timezone: "),
    (("timezone",), 12, "VLD00", "timezone: "),
    (("timezone",), "2", "VLD00", "timezone: "),
    (("callback_url",), "ftp://shop.example/x", "VLD00", "callback_url: "),
    (("callback_url",), "/relative", "VLD00", "callback_url: "),
    (("cashier",), {}, "VLD00", "cashier->name: "),
    (("additional_user_props",), {"name": "x"}, "VLD00", "additional_user_props->value: "),
    (("sectoral_check_props",), [{"federal_id": "001"}], "VLD00", "sectoral_check_props->0->date: "),
    (("operating_check_props",), {"name": "0"}, "VLD00", "operating_check_props->value: "),
    (("cashless_payments",), [{"sum": 1, "method": "1", "id": "x"}], "VLD00", "cashless_payments->0->method: "),
    (("positions",), [], "VLD00", "positions: "),
    (("positions",), {}, "VLD00", "positions: "),
    (("positions",), ["x"], "VLD00", "positions->0: "),
    (("positions", 0, "name"), ..., "VLD00", "positions->0->name: "),
    (("positions", 0, "price"), "500", "VLD00", "positions->0->price: '500' is not of type number"),
    (("positions", 0, "price"), True, "VLD00", "positions->0->price: "),
    (("positions", 0, "price"), -1, "VLD00", "positions->0->price: "),
    (("positions", 0, "price"), 1e30, "VLD00", "positions->0->price: "),
    (("positions", 0, "quantity"), 0, "VLD00", "positions->0->quantity: "),
    (("positions", 0, "quantity"), -1, "VLD00", "positions->0->quantity: "),
    (("positions", 0, "excise"), None, "VLD00", "positions->0->excise: None is not of type number"),
    (("positions", 0, "vat"), 22, "VLD00", "positions->0->vat: "),
    (("positions", 0, "vat"), "18", "VLD00", "positions->0->vat: "),
    (("positions", 0, "vat"), "118", "VLD00", "positions->0->vat: "),
    (("positions", 0, "measure"), ..., "VLD00", "positions->0->measure: "),
    (("positions", 0, "measure"), 1, "VLD00", "positions->0->measure: "),
    (("positions", 0, "payment_method"), "full", "VLD00", "positions->0->payment_method: "),
    (("positions", 0, "payment_object"), "ТОВАР", "VLD00", "positions->0->payment_object: "),
    (("positions", 0, "mark_code"), {}, "VLD00", "positions->0->mark_code: "),
    (("positions", 0, "mark_code"), {"gs1m": "1", "short": "2"}, "VLD00", "positions->0->mark_code: "),
    (("positions", 0, "mark_code"), {"gs2m": "1"}, "VLD00", "positions->0->mark_code->gs2m: "),
    (
        ("positions", 0, "mark_quantity"),
        {"numerator": 1.0, "denominator": 2},
        "VLD00",
        "positions->0->mark_quantity->n",
    ),
    (("positions", 0, "planned_status"), 7, "VLD00", "positions->0->planned_status: "),
    (("positions", 0, "wholesale"), 1, "VLD00", "positions->0->wholesale: "),
    (("positions", 0, "agent_info"), {"type": "broker"}, "VLD00", "positions->0->agent_info->type: "),
    (
        ("positions", 0, "agent_info"),
        {"type": "agent", "paying_agent": {"phones": ["+79001112233"], "operation": "х" * 25}},
        "VLD00",
        "positions->0->agent_info->paying_agent->operation: ",
    ),
    (("payments",), [], "VLD00", "payments: "),
    (("payments", 0, "type"), "sbp", "VLD00", "payments->0->type: "),
    (("payments", 0, "sum"), "950", "VLD00", "payments->0->sum: "),
    (("payments", 0, "sum"), 949.99, "VLD00", "payments: "),
    (("payments", 0, "sum"), 950.001, "VLD00", "payments->0->sum: "),
    (("payments", 0, "sum"), -950, "VLD00", "payments->0->sum: "),
    (("positions", 0, "price"), 500.001, "VLD12", "positions->0->price: "),
    (("positions", 0, "total"), 1000.02, "VLD13", "positions->0->total: "),
    (("positions", 0, "total"), -0.01, "VLD13", "positions->0->total: "),
    (("positions", 0, "total"), 949.995, "VLD13", "positions->0->total: "),
    (("correction_info",), {"type": "self", "base_date": "01.10.2026"}, "VLD00", "intent: "),
]


@pytest.mark.parametrize(("path", "value", "code", "begins"), BAD_V2)
def test_a_bad_v2_receipt_is_422_with_the_path_and_is_not_stored(shop, emulator, receipt_v2, path, value, code, begins):
    document = receipt_v2()
    put(document, path, value)
    answer = shop.post(document)
    assert (answer.status, answer.code) == (422, code), answer.text
    assert answer.json[DESCRIBED].startswith(begins), answer.text
    assert emulator.receipts() == []


BAD_V1 = [
    (("user",), ..., "VLD00", "user: "),
    (("sno",), "1", "VLD00", "sno: "),
    (("sno",), 3, "VLD00", "sno: "),
    (("positions", 0, "calculation_method"), "full", "VLD00", "positions->0->calculation_method: "),
    (("positions", 0, "calculation_subject"), "tm", "VLD00", "positions->0->calculation_subject: "),
    (("positions", 0, "nomenclature_code"), {}, "VLD00", "positions->0->nomenclature_code: "),
    (("positions", 0, "excise"), None, "VLD00", "positions->0->excise: None is not of type number"),
    (("positions", 0, "price"), 0.005, "VLD12", "positions->0->price: "),
    (("positions", 0, "total"), 1000.02, "VLD13", "positions->0->total: "),
    (("correction",), None, "VLD00", ""),
]


@pytest.mark.parametrize(("path", "value", "code", "begins"), BAD_V1)
def test_a_bad_v1_receipt_is_422_with_the_path_and_is_not_stored(shop, emulator, receipt_v1, path, value, code, begins):
    document = receipt_v1()
    put(document, path, value)
    answer = shop.post(document, "v1")
    assert (answer.status, answer.code) == (422, code), answer.text
    assert answer.json[DESCRIBED].startswith(begins), answer.text
    assert emulator.receipts() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff{}",
        b'{"external_id": NaN}',
        b"[" * 100_000,
        b'{"a": "\\ud800"}',
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_not_json_is_422_or_by_the_switch_400(shop, emulator, body):
    answer = shop.post(body)
    assert (answer.status, answer.code) == (422, "VLD00")
    emulator.settings(malformed_status=400)
    answer = shop.post(body)
    assert (answer.status, answer.code) == (400, "VLD00")


@pytest.mark.parametrize("body", [b"1", b"null", b'"x"', b"[]"])
def test_json_that_is_no_object_is_a_schema_error(shop, body):
    answer = shop.post(body)
    assert (answer.status, answer.code) == (422, "VLD00")


def test_a_discount_is_fine_and_a_total_may_exceed_the_product_by_one_kopeck(shop, receipt_v2):
    for number, total in enumerate((0.00, 950.00, 1000.00, 1000.01)):
        document = receipt_v2(f"A-{number}", payments=[{"type": "card", "sum": total}])
        document["positions"][0]["total"] = total
        assert shop.post(document).status == 200, total


def test_binary_noise_is_rounded_away_by_default_and_refused_in_strict_mode(shop, emulator, receipt_v2):
    document = receipt_v2(payments=[{"type": "card", "sum": 0.30000000000000004}])
    document["positions"][0].update(price=0.1, quantity=3, total=0.1 * 3)
    emulator.settings(strict=True)
    assert shop.post(document).code == "VLD13"
    emulator.settings(strict=False)
    task = shop.post(document).json
    assert shop.final(task["id"])["fiscal_data"]["s"] == "0.30"


def test_sums_are_exact_where_binary_floats_are_not(shop, receipt_v2):
    body = json.dumps(receipt_v2("exact"))
    body = body.replace('"price": 500.0, "quantity": 2, "total": 950.0', '"price": 0.7, "quantity": 3, "total": 2.10')
    body = body.replace('"sum": 950.0', '"sum": 2.1')
    task = shop.post(body.encode()).json
    assert shop.final(task["id"])["fiscal_data"]["s"] == "2.10"


@pytest.mark.parametrize(
    ("change", "begins"),
    [
        ({"surprise": 1}, "surprise: "),
        ({"client": []}, "client: "),
        ({"client": {}}, "client: "),
        ({"additional_check_props": "х" * 17}, "additional_check_props: "),
        ({"client": {"email": "buyer@example.ru", "inn": "12345"}}, "client->inn: "),
        ({"external_id": "x" * 65}, "external_id: "),
    ],
)
def test_what_the_default_tolerates_strict_mode_refuses(shop, emulator, receipt_v2, change, begins):
    document = {**receipt_v2(), **change}
    emulator.settings(strict=True)
    answer = shop.post(document)
    assert (answer.status, answer.code) == (422, "VLD00")
    assert answer.json[DESCRIBED].startswith(begins), answer.text
    emulator.settings(strict=False)
    assert shop.post(document).status == 200


def test_strict_mode_lets_a_receipt_without_contact_be_printed(shop, emulator, receipt_v2):
    emulator.settings(strict=True)
    assert shop.post(receipt_v2(client={}, print=True)).status == 200


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_correction_by_order_wants_its_number_in_strict_mode_only(shop, emulator, receipt_v1, receipt_v2, version):
    document = receipt_v1(intent="sellCorrection") if version == "v1" else receipt_v2(intent="sellCorrection")
    if version == "v1":
        document["correction"] = {"type": "forced", "date": "2026-10-01"}
    else:
        document["correction_info"] = {"type": "instruction", "base_date": "01.10.2026"}
    emulator.settings(strict=True)
    assert shop.post(document, version).code == "VLD00"
    emulator.settings(strict=False)
    assert shop.post(document, version).status == 200


def test_a_correction_needs_its_reason_and_the_types_of_its_own_version(shop, receipt_v1, receipt_v2):
    assert shop.post(receipt_v2(intent="sellCorrection")).json[DESCRIBED].startswith("correction_info: ")
    wrong = {"type": "forced", "base_date": "01.10.2026"}
    assert shop.post(receipt_v2(intent="sellCorrection", correction_info=wrong)).code == "VLD00"
    wrong = {"type": "instruction", "date": "2026-10-01"}
    assert shop.post(receipt_v1(intent="sellCorrection", correction=wrong), "v1").code == "VLD00"


def test_the_same_external_id_is_vld11_with_the_task_whatever_the_version_or_intent(shop, receipt_v1, receipt_v2):
    first = shop.post(receipt_v2(7)).json
    for document, version in (
        (receipt_v2("7"), "v2"),
        (receipt_v2("7", intent="sellReturn"), "v2"),
        (receipt_v1("7"), "v1"),
    ):
        answer = shop.post(document, version)
        assert (answer.status, answer.code) == (422, "VLD11")
        assert "7" in answer.json["title"]
        task = answer.json["task"]
        assert (task["id"], task["uuid"], task["external_id"]) == (first["id"], first["uuid"], "7")
        assert task["state"] == "done"


def test_the_task_of_a_duplicate_can_be_left_out(shop, emulator, receipt_v2):
    shop.post(receipt_v2())
    emulator.settings(duplicate_task=False)
    answer = shop.post(receipt_v2())
    assert (answer.status, answer.code) == (422, "VLD11")
    assert "task" not in answer.json


def test_an_id_stays_taken_after_an_error(shop, receipt_v2):
    task = shop.post(receipt_v2("A#kkt-error")).json
    assert shop.final(task["id"])["state"] == "error"
    assert shop.post(receipt_v2("A#kkt-error")).json["task"]["state"] == "error"


def test_a_refused_receipt_leaves_its_id_free(shop, receipt_v2):
    assert shop.post(receipt_v2(payments=[{"type": "card", "sum": 1}])).status == 422
    assert shop.post(receipt_v2()).status == 200


def test_the_scope_of_uniqueness_is_a_switch(shop, emulator, receipt_v2):
    emulator.call("POST", "shops", {"shop": shop.shop, "secret": shop.secret, "queues": [777, 778]})
    shop.post(receipt_v2())
    assert shop.post(receipt_v2(), queue=778).code == "VLD11"
    emulator.settings(duplicate_scope="queue")
    assert shop.post(receipt_v2()).code == "VLD11"
    assert shop.post(receipt_v2(), queue=778).status == 200
    emulator.settings(duplicate_scope="intent")
    assert shop.post(receipt_v2()).code == "VLD11"
    assert shop.post(receipt_v2(intent="sellReturn")).status == 200


def test_two_shops_may_use_the_same_external_id_and_see_only_their_own(shop, emulator, receipt_v2):
    import dataclasses

    emulator.call("POST", "shops", {"shop": "second", "secret": "other", "queues": [777]})
    second = dataclasses.replace(shop, shop="second", secret="other")
    mine, theirs = shop.post(receipt_v2()).json, second.post(receipt_v2()).json
    assert mine["id"] != theirs["id"]
    assert second.task(theirs["id"]).status == 200
    assert second.task(mine["id"]).status == 404


def test_an_unknown_task_is_404_or_by_the_switch_403(shop, emulator):
    for number in (1, 999999, 10**30):
        answer = shop.task(number)
        assert answer.status == 404
        assert set(answer.json) == {"title", "code", "description"}
    emulator.settings(unknown_task_status=403)
    answer = shop.task(1)
    assert (answer.status, answer.code) == (403, "AUT00")


def test_no_service_is_403_or_by_the_switch_422(shop, emulator, receipt_v2):
    emulator.faults({"fault": "no_service"})
    answer = shop.post(receipt_v2())
    assert (answer.status, answer.code) == (403, "SRV00")
    emulator.settings(no_service_status=422)
    assert shop.post(receipt_v2()).status == 422
    assert emulator.receipts() == []


def test_many_tasks_are_all_taken_or_all_refused(shop, emulator, receipt_v2):
    bad = copy.deepcopy(receipt_v2("bad"))
    bad["positions"][0]["excise"] = None
    answer = shop.post_many([receipt_v2("1"), bad])
    assert (answer.status, answer.code) == (422, "VLD00")
    assert answer.json[DESCRIBED].startswith("1->positions->0->excise: None")
    assert shop.post_many([receipt_v2("1"), receipt_v2("1")]).code == "VLD11"
    assert shop.post_many([]).code == "VLD00"
    assert shop.post_many({}).code == "VLD00"
    assert emulator.receipts() == []
    shop.post(receipt_v2("2"))
    assert shop.post_many([receipt_v2("1"), receipt_v2("2")]).json["task"]["external_id"] == "2"
    answer = shop.post_many([receipt_v2("1"), receipt_v2("3")])
    assert {key: task["external_id"] for key, task in answer.json.items()} == {"0": "1", "1": "3"}
    assert all(task["state"] == "new" for task in answer.json.values())


def test_an_unknown_address_or_method_is_a_json_404(shop):
    for method, path in (
        ("GET", "/api/shop/v3/queues/777"),
        ("DELETE", "/api/shop/v2/queues/777"),
        ("GET", "/api/shop/v2/tasks"),
    ):
        answer = shop.call(method, path)
        assert answer.status == 404
        assert "title" in answer.json


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(member=st.sampled_from(MEMBERS), value=ANYTHING, strict=st.booleans())
def test_whatever_stands_in_a_member_the_receipt_is_refused_in_order_or_can_be_printed(
    receipt_v2, member, value, strict
):
    document = receipt_v2()
    put(document, member, value)
    refusal, receipt = None, None
    try:
        receipt = check_receipt(parse(json.dumps(document).encode(), 422), "v2", strict=strict)
    except Refusal as raised:
        refusal = raised
    if receipt is None:
        assert refusal.code in ("VLD00", "VLD12", "VLD13")
        assert json.dumps(refusal.body())
    else:
        device_error(receipt, "v2", inn="", switches=Switches(strict=strict))
        fiscal = Register.fresh(1).issue(receipt, business_now(0))
        assert fiscal["s"] == f"{receipt.total:.2f}"


def test_a_body_over_the_limit_is_413_and_stores_nothing(shop, emulator, receipt_v2):
    document = receipt_v2()
    document["positions"][0]["name"] = "x" * 2_000_000
    assert shop.post(document).status == 413
    assert emulator.receipts() == []
