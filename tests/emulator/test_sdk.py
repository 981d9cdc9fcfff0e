"""The vendor's own Python client, both versions, against the emulator."""

from decimal import Decimal

import komtet_kassa_sdk.v1 as v1
import komtet_kassa_sdk.v2 as v2
import pytest
import requests

VERSIONS = {"v1": v1, "v2": v2}


@pytest.fixture(params=["v1", "v2"])
def version(request):
    return request.param


@pytest.fixture
def client(emulator, version):
    made = VERSIONS[version].Client(emulator.shop, emulator.secret)
    return made.set_host(emulator.base_url).set_default_queue(emulator.queue)


def position_v2(name="Товар", price=100, quantity=2, total=None, **more):
    return v2.Position(
        name,
        price,
        quantity,
        v2.MeasureTypes.PIECE,
        more.pop("payment_object", v2.PaymentObject.PRODUCT),
        v2.PaymentMethod.FULL_PAYMENT,
        total=total,
        vat=v2.VatRate.RATE_22,
        **more,
    )


def check(version, oid="sdk-1", intent="sell", price=100, quantity=2, total=None):
    amount = price * quantity if total is None else total
    if version == "v1":
        made = v1.Check(oid, "buyer@example.ru", intent, v1.TaxSystem.COMMON, "shop.example")
        made.add_position("Товар", price, quantity=quantity, total=total, vat=v1.VatRate.RATE_22)
    else:
        made = v2.Check(oid, intent)
        made.set_client(email="buyer@example.ru", phone="+79001112233", name="Иванов")
        made.set_company("shop.example", v2.TaxSystem.COMMON)
        made.add_position(position_v2(price=price, quantity=quantity, total=total))
    made.add_payment(amount)
    return made


def test_the_queue_is_active(client, emulator):
    assert client.is_queue_active()
    emulator.faults({"fault": "passive"})
    assert not client.is_queue_active()


@pytest.mark.parametrize(("intent", "n"), [("sell", 1), ("sellReturn", 2), ("buy", 3), ("buyReturn", 4)])
def test_a_receipt_of_each_kind_is_fiscalised(client, version, intent, n):
    task = client.create_task(check(version, intent=intent))
    assert (task.state, task.external_id, task.print_queue_id) == ("new", "sdk-1", 777)
    info = client.get_task_info(task.id)
    assert (info.state, info.error_description) == ("done", None)
    assert info.fiscal_data["n"] == n
    assert info.fiscal_data["s"] == "200.00"


@pytest.mark.parametrize("intent", ["sellCorrection", "sellReturnCorrection", "buyCorrection", "buyReturnCorrection"])
def test_a_correction_of_each_kind_is_fiscalised(client, version, intent):
    if version == "v1":
        made = v1.CorrectionCheck("c-1", intent, v1.TaxSystem.COMMON, "shop.example")
        made.set_correction_data(v1.CorrectionType.FORCED, "2026-10-01", "K11")
        made.set_authorised_person("Петров", "123456789012")
        made.add_position("Товар", 100)
    else:
        made = v2.CorrectionCheck("c-1", intent)
        made.set_company("shop.example", v2.TaxSystem.COMMON)
        made.set_correction_info(v2.CorrectionType.INSTRUCTION, "01.10.2026", "K11")
        made.set_authorised_person("Петров", "123456789012")
        made.add_position(position_v2(quantity=1))
    made.add_payment(100)
    assert client.get_task_info(client.create_task(made).id).state == "done"


def test_everything_that_the_second_version_can_say_is_accepted(emulator):
    client = v2.Client(emulator.shop, emulator.secret).set_host(emulator.base_url).set_default_queue(emulator.queue)
    emulator.settings(strict=True)
    made = check("v2", price=Decimal("300"), quantity=1)
    made.set_cashier("Петрова", "123456789012")
    made.set_additional_check_props("доп")
    made.set_additional_user_props("имя", "значение")
    made.add_sectoral_check_props("001", "06.11.2020", "123/43", "a=b")
    made.set_operating_check_props("0", "данные", "03.11.2020 12:05:31")
    made.set_internet(True)
    made.set_timezone(5)
    made.add_cashless_payment(300, 1, "id", "сведения")
    marked = position_v2(price=50, quantity=1, payment_object=v2.PaymentObject.TM, excise=1.5, country_code="643")
    marked.set_mark_code(v2.MarkTypes.GS1M, "0104601234567890215abc\x1d93dGVz")
    marked.set_mark_quantity(1, 20)
    marked.set_planned_status(1)
    marked.set_wholesale(True)
    marked.add_sectoral_item_props("030", "21.11.2023", "1944", "UUID=1&Time=2")
    agent = v2.Agent(v2.AgentType.COMMISSIONAIRE, "+77777777777", "ООО", "1234567890")
    agent.set_paying_agent_info(["+87776665544"], "Операция")
    agent.set_receive_payments_operator(["+87776665544"])
    agent.set_money_transfer_operator("Оператор", ["+8"], "Пенза", "5836000001")
    marked.set_agent(agent)
    made.add_position(marked)
    made.add_payment(50, v2.PaymentType.CASH)
    assert client.get_task_info(client.create_task(made).id).fiscal_data["s"] == "350.00"


def test_everything_that_the_first_version_can_say_is_accepted(emulator):
    client = v1.Client(emulator.shop, emulator.secret).set_host(emulator.base_url).set_default_queue(emulator.queue)
    emulator.settings(strict=True)
    made = v1.Check("v1", "+79001112233", "sell", v1.TaxSystem.PATENT, "shop.example", "Пенза")
    made.set_print(True)
    made.set_cashier("Петрова", "123456789012")
    made.set_client("Иванов", "123456789012")
    made.set_additional_check_props("доп")
    made.set_additional_user_props("имя", "значение")
    made.set_internet(True)
    made.add_cashless_payment(300, 1, "id", "сведения")
    agent = v1.Agent(v1.AgentType.COMMISSIONAIRE, "+77777777777", "ООО", "1234567890")
    made.add_position(
        "Товар",
        300,
        oid=17,
        measure_name="шт",
        calculation_method=v1.CalculationMethod.FULL_PAYMENT,
        calculation_subject=v1.CalculationSubject.PRODUCT,
        excise=Decimal("1.50"),
        country_code="643",
        declaration_number="10702020/060520/0013422",
        agent=agent,
        nomenclature=v1.Nomenclature(code="0104601234567890215abc", hex_code="44 4D"),
        user_data="доп",
    )
    made.add_payment(300, v1.PaymentMethod.CREDIT)
    assert client.get_task_info(client.create_task(made).id).fiscal_data["s"] == "300.00"


def test_discounts_of_the_client_are_accepted(client, version):
    made = check(version, price=Decimal("33.33"), quantity=3, total=Decimal("99.99"))
    made.apply_discount(Decimal("10"))
    made.apply_correction_positions()
    dict(made)["payments"][0]["sum"] = Decimal("89.99")
    assert client.get_task_info(client.create_task(made).id).fiscal_data["s"] == "89.99"


def test_binary_float_totals_of_the_client_are_accepted(client, version):
    made = check(version, price=0.1, quantity=3)
    assert client.get_task_info(client.create_task(made).id).fiscal_data["s"] == "0.30"


def test_many_tasks_come_back_in_order(client, version):
    tasks = client.create_tasks([check(version, f"m-{number}") for number in range(5)])
    assert [task.external_id for task in tasks] == [f"m-{number}" for number in range(5)]
    assert [client.get_task_info(task.id).state for task in tasks] == ["done"] * 5


def test_a_duplicate_and_a_wrong_secret_raise(client, version, emulator):
    client.create_task(check(version))
    with pytest.raises(requests.HTTPError) as caught:
        client.create_task(check(version))
    assert caught.value.response.status_code == 422
    assert caught.value.response.json()["code"] == "VLD11"
    thief = VERSIONS[version].Client(emulator.shop, "wrong").set_host(emulator.base_url).set_default_queue(777)
    with pytest.raises(requests.HTTPError) as caught:
        thief.create_task(check(version, "sdk-2"))
    assert caught.value.response.status_code == 403
    assert len(emulator.receipts()) == 1


def test_employees_are_created_read_replaced_listed_and_deleted(client, version):
    sdk = VERSIONS[version]
    made = sdk.Employee(sdk.EmployeeType.COURIER, "Курьер", "login", "password", "POS", inn="123456789012")
    made.set_access_settings(is_manager=True)
    number = client.create_employee(made).id
    client.create_employee(sdk.Employee(sdk.EmployeeType.CASHIER, "Кассир", "l2", "p2", "POS"))
    read = client.get_employee_info(number)._asdict()
    assert (read["name"], read["is_manager"], read["is_app_fast_basket"]) == ("Курьер", True, False)
    assert not {"login", "password", "pos_id"} & set(read)
    client.update_employee(number, sdk.Employee(sdk.EmployeeType.COURIER, "Другой", "login", "p", "POS"))
    listed = client.get_employees(type=sdk.EmployeeType.COURIER)
    assert [one["name"] for one in listed["account_employees"]] == ["Другой"]
    assert listed["meta"] == {"total": 1, "total_pages": 1}
    assert client.get_employees(start="1", limit="1")["meta"] == {"total": 2, "total_pages": 2}
    assert client.delete_employee(number)
    with pytest.raises(requests.HTTPError, match="404"):
        client.get_employee_info(number)


def order(version, oid="o-1", total=Decimal("500")):
    if version == "v1":
        made = v1.Order(oid, v1.TaxSystem.COMMON, "new", is_paid=True)
        made.set_client("Пенза", "+79001112233", name="Иванов")
        made.set_delivery_time("2026-10-20 10:00", "2026-10-20 12:00")
        made.add_position("1", "Товар", total, vat=v1.VatRate.RATE_22, type=v1.CalculationSubject.PRODUCT)
    else:
        made = v2.Order(oid, is_pay_to_courier=False, prepayment=0)
        made.set_company("shop.example", v2.TaxSystem.COMMON)
        made.set_client("Пенза", "+79001112233", name="Иванов", coordinate={"latitude": "53.2", "longitude": "45.0"})
        made.set_delivery_time("20.10.2026 10:00", "20.10.2026 12:00")
        made.add_item(v2.OrderItem("Товар", total, id="1", vat=v2.VatRate.RATE_22))
    return made


def test_orders_are_created_read_replaced_listed_and_deleted(client, version):
    sdk = VERSIONS[version]
    courier = client.create_employee(sdk.Employee(sdk.EmployeeType.COURIER, "Курьер", "login", "p", "POS")).id
    made = order(version)
    (made.add_courier_id if version == "v1" else made.set_courier_id)(courier)
    created = client.create_order(made)._asdict()
    read = client.get_order_info(created["id"])._asdict()
    assert read == created
    assert (read["external_id"], read["amount"], read["state"], len(read["items"])) == ("o-1", 500, "new", 1)
    assert read["courier"] == {"id": courier, "name": "Курьер"}
    if version == "v2":
        assert (read["client"]["name"], read["company"]["sno"], read["is_pay_to_courier"]) == ("Иванов", 0, False)
    else:
        assert (read["client_name"], read["sno"], read["is_paid"]) == ("Иванов", 0, True)
    client.create_order(order(version, "o-2"))
    listed = client.get_orders(courier_id=courier)
    assert [(one["external_id"], one["client_name"]) for one in listed["orders"]] == [("o-1", "Иванов")]
    assert "items" not in listed["orders"][0]
    assert client.get_orders()["meta"] == {"total": 2, "total_pages": 1}
    assert len(client.get_orders(date_start="2026-10-20 00:00")["orders"]) == 2
    assert client.get_orders(date_start="2026-10-21 00:00")["orders"] == []
    assert client.update_order(created["id"], order(version, "o-1", Decimal("700"))).amount == 700
    assert client.delete_order(created["id"])
    with pytest.raises(requests.HTTPError, match="404"):
        client.get_order_info(created["id"])
    with pytest.raises(requests.HTTPError, match="404"):
        client.update_order(created["id"], order(version))


def test_an_order_of_one_version_is_read_in_the_shape_of_the_other(emulator, shop):
    old = v1.Client(emulator.shop, emulator.secret).set_host(emulator.base_url)
    new = v2.Client(emulator.shop, emulator.secret).set_host(emulator.base_url)
    assert new.get_order_info(old.create_order(order("v1")).id).client["name"] == "Иванов"
    assert old.get_order_info(new.create_order(order("v2", "o-2")).id).client_name == "Иванов"
