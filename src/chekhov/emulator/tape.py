"""The tape: a page that draws every receipt as a strip of paper, newest first.

The page stands alone: style and script are inside it, allowed by their hashes in the content security policy, and
nothing is loaded from elsewhere. The script asks for the strips again every two seconds; without it the page reloads.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from html import escape
from importlib import resources
from typing import Any

import orjson
import segno
from aiohttp import web

from chekhov.emulator import vocabulary as words
from chekhov.emulator.press import Press
from chekhov.emulator.register import Register, printed_lines
from chekhov.emulator.store import Store
from chekhov.emulator.tasks import DONE, ERROR, NEW
from chekhov.emulator.wire import KOPECK, Document, as_object, check_receipt, parse

SHOWN = 60
"""Strips on the page; older receipts are in ``/_emulator/receipts``."""

_SELECT = (
    "SELECT id, version, queue, external_id, state, error, fiscal, created_at, body FROM tasks JOIN states ON task = id"
)


@dataclass(frozen=True, slots=True)
class Strip:
    """What is drawn on one strip; hashable, so that a finished strip is drawn once."""

    id: int
    version: str
    queue: int
    external_id: str
    state: str
    error: str | None
    fiscal: str | None
    created_at: int
    body: str


def page(store: Store, press: Press, tally: Counter[str], query: dict[str, str]) -> web.Response:
    """The page, or with ``part`` in the query its changing middle only; ``task`` shows a single receipt."""
    wanted = query.get("task", "")
    if wanted.isdecimal() and len(wanted) < 19:
        rows = store.read(f"{_SELECT} WHERE id = ?", (int(wanted),))
    else:
        wanted = ""
        rows = store.read(f"{_SELECT} ORDER BY id DESC LIMIT ?", (SHOWN,))
    middle = _middle(press, tally, [Strip(*row) for row in rows], single=bool(wanted))
    if "part" in query:
        return _html(middle)
    style, script = _asset("tape.css"), _asset("tape.js")
    return _html(
        '<!doctype html><html lang="ru"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>Кассовая лента — эмулятор «КОМТЕТ Касса»</title>"
        '<noscript><meta http-equiv="refresh" content="5"></noscript>'
        f"<style>{style}</style></head><body>{middle}<script>{script}</script></body></html>",
        policy="default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'",
    )


def qr_text(fiscal: dict[str, Any]) -> str:
    """The text of the receipt's QR code."""
    return "&".join(f"{key}={fiscal[key]}" for key in ("t", "s", "fn", "i", "fp", "n"))


def _html(text: str, policy: str = "default-src 'none'") -> web.Response:
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    return web.Response(text=text, content_type="text/html", headers=headers)


@lru_cache
def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _middle(press: Press, tally: Counter[str], strips: list[Strip], *, single: bool) -> str:
    total = tally.total()
    waiting = total - tally[DONE] - tally[ERROR]
    chips = [
        ("Чеков", total),
        ("Пробито", tally[DONE]),
        ("Ошибок", tally[ERROR]),
        ("В работе", waiting),
    ]
    registers = {strip.queue: press.register(strip.queue) for strip in strips}
    head = (
        "<header><div><h1>Кассовая лента</h1><p>Эмулятор «КОМТЕТ Касса»: чеки не настоящие, "
        "в налоговую не передаются</p></div><ul>"
        + "".join(f"<li><b>{number}</b>{label}</li>" for label, number in chips)
        + "</ul></header>"
    )
    back = '<p class="back"><a href="/_emulator/tape">← Вся лента</a></p>' if single else ""
    if not strips:
        text = "Такого чека нет." if single else "Лента пуста. Отправьте первый чек, и он появится здесь."
        return f'<main id="tape">{head}{back}<p class="empty">{text}</p></main>'
    drawn = "".join(_drawn(strip, _legend(registers[strip.queue])) for strip in strips)
    return f'<main id="tape">{head}{back}<div class="strips">{drawn}</div></main>'


def _legend(register: Register) -> tuple[str, str]:
    return register.rn, register.fn


@lru_cache(maxsize=SHOWN * 8)
def _drawn(strip: Strip, register: tuple[str, str]) -> str:
    fiscal = orjson.loads(strip.fiscal) if strip.fiscal else None
    receipt = check_receipt(parse(strip.body.encode(), 422), strip.version, strict=False)
    document = receipt.document
    out: list[str] = []
    _head(out, strip, document, fiscal)
    for number, line in enumerate(document["positions"], 1):
        _line(out, number, line)
    out.append(f'<p class="total"><span>ИТОГ</span><span>={receipt.total}</span></p>')
    for payment in document["payments"]:
        if payment["sum"]:
            _row(out, words.PAYMENT_TYPES[payment["type"]], f"={_money(payment['sum'])}")
    _taxes(out, document)
    _requisites(out, document)
    _signature(out, strip, fiscal, register)
    classes = {DONE: "done", ERROR: "void"}.get(strip.state, "waiting")
    stamp = {ERROR: '<b class="stamp">Аннулирован</b>', DONE: ""}.get(
        strip.state, f'<b class="stamp">{"В очереди" if strip.state == NEW else "Печатается"}</b>'
    )
    error = f'<p class="error">{escape(strip.error)}</p>' if strip.error else ""
    posted = (datetime.fromtimestamp(strip.created_at / 1000, UTC) + timedelta(hours=3)).strftime("%H:%M:%S")
    return (
        f'<article class="{classes}" id="task-{strip.id}"><div class="paper">{"".join(out)}{stamp}</div>'
        f'<footer>{error}<p>№ <a href="/_emulator/tape?task={strip.id}">{strip.id}</a> · очередь {strip.queue}'
        f" · {strip.version} · {posted}</p><p>{escape(strip.external_id)}</p></footer></article>"
    )


def _head(out: list[str], strip: Strip, document: Document, fiscal: dict[str, Any] | None) -> None:
    company = as_object(document.get("company"))
    inn = company.get("inn")
    place = company.get("payment_address") or document.get("payment_address")
    address = company.get("place_address") or document.get("place_address")
    out.append(f'<p class="seller">{escape(place or "Тестовая касса")}</p>')
    if inn:
        out.append(f'<p class="centre">ИНН {escape(inn)}</p>')
    if address:
        out.append(f'<p class="centre">{escape(address)}</p>')
    correction = document["intent"] in words.CORRECTION_INTENTS
    out.append(f'<p class="title">{"КАССОВЫЙ ЧЕК КОРРЕКЦИИ" if correction else "КАССОВЫЙ ЧЕК"}</p>')
    out.append(f'<p class="intent">{words.ALL_INTENTS[document["intent"]][1]}</p>')
    if fiscal:
        _row(out, f"СМЕНА {fiscal['sh']}", f"ЧЕК {fiscal['shn']}")
    if correction:
        info = document.get("correction_info") or document.get("correction") or {}
        own = info.get("type") == "self"
        number = info.get("base_number") or info.get("document")
        _row(out, "ОСНОВАНИЕ", "САМОСТОЯТЕЛЬНО" if own else "ПО ПРЕДПИСАНИЮ")
        when = escape(str(info.get("base_date") or info.get("date")))
        _row(out, "ДАТА РАСЧЕТА", when)
        if number:
            _row(out, "ПРЕДПИСАНИЕ", escape(number))
    out.append("<hr>")


def _line(out: list[str], number: int, line: Document) -> None:
    out.append(f'<p class="name">{number}. {escape(line["name"])}</p>')
    measure = words.MEASURES.get(line["measure"]) if "measure" in line else line.get("measure_name", "шт")
    for price, quantity, total in printed_lines(line["price"], line["quantity"], line["total"]):
        _row(out, f"{_money(price)} × {_quantity(quantity)} {escape(measure or '')}", f"={_money(total)}")
    discount = (line["price"] * line["quantity"]).quantize(KOPECK, ROUND_HALF_UP) - line["total"]
    if discount > 0:
        _row(out, "в т. ч. скидка", _money(discount), "small")
    tax = _tax(line["vat"], line["total"])
    _row(out, words.VAT_RATES[line["vat"]], "" if tax is None else f"={_money(tax)}", "small")
    method = line.get("payment_method") or line.get("calculation_method") or "full_payment"
    subject = line.get("payment_object") or line.get("calculation_subject") or "product"
    marked = '<i class="mark">[М+]</i> ' if "mark_code" in line or "nomenclature_code" in line else ""
    _row(out, f"{marked}{words.PAYMENT_METHODS[method]}", words.PAYMENT_OBJECTS[subject], "small")


def _taxes(out: list[str], document: Document) -> None:
    sums: dict[str, Decimal] = {}
    for line in document["positions"]:
        tax = _tax(line["vat"], line["total"])
        sums[line["vat"]] = sums.get(line["vat"], Decimal(0)) + (line["total"] if tax is None else tax)
    for rate, amount in sums.items():
        label = {"no": "СУММА БЕЗ НДС", "0": "СУММА С НДС 0%"}.get(rate, f"СУММА {words.VAT_RATES[rate]}")
        _row(out, label, f"={_money(amount)}", "small")


def _requisites(out: list[str], document: Document) -> None:
    client = as_object(document.get("client"))
    company = as_object(document.get("company"))
    cashier = as_object(document.get("cashier"))
    out.append("<hr>")
    _row(out, "СНО", words.TAX_SYSTEMS[company["sno"] if company else document["sno"]])
    if cashier:
        _row(out, "КАССИР", escape(cashier["name"]))
    if client.get("name"):
        _row(out, "ПОКУПАТЕЛЬ", escape(client["name"]))
    if client.get("inn"):
        _row(out, "ИНН ПОКУПАТЕЛЯ", escape(client["inn"]))
    contact = document.get("user") or client.get("email") or client.get("phone")
    if contact:
        _row(out, "ЭЛ. АДР. ПОКУПАТЕЛЯ", escape(contact))
    if document.get("internet"):
        _row(out, "РАСЧЕТ В ИНТЕРНЕТ", "ДА")
    if not document.get("print"):
        _row(out, "ТОЛЬКО ЭЛЕКТРОННЫЙ ЧЕК", "")


def _signature(out: list[str], strip: Strip, fiscal: dict[str, Any] | None, register: tuple[str, str]) -> None:
    out.append("<hr>")
    rn, fn = register
    if not fiscal:
        _row(out, "РН ККТ", rn)
        _row(out, "ФН", fn)
        return
    t = fiscal["t"]
    when = f"{t[6:8]}.{t[4:6]}.{t[:4]} {t[9:11]}:{t[11:13]}"
    code = segno.make(qr_text(fiscal), error="m", micro=False)
    picture = code.svg_inline(scale=3, border=2, svgclass="qr", lineclass="", omitsize=True)
    rows: list[str] = []
    for label, value in (("", when), ("РН ККТ", rn), ("ФН", fiscal["fn"]), ("ФД", fiscal["i"]), ("ФП", fiscal["fp"])):
        _row(rows, label, value)
    out.append(f'<div class="sign"><div>{"".join(rows)}<p class="small">nalog.gov.ru</p></div>{picture}</div>')


def _row(out: list[str], left: str, right: str, kind: str = "row") -> None:
    """A line with both ends filled; the texts are HTML already."""
    out.append(f'<p class="row {kind}"><span>{left}</span><span>{right}</span></p>')


def _tax(rate: str, total: Decimal) -> Decimal | None:
    fraction = words.VAT_FRACTIONS.get(rate)
    if fraction is None:
        return None
    return (total * fraction[0] / fraction[1]).quantize(KOPECK, ROUND_HALF_UP)


def _money(value: Decimal) -> str:
    return f"{value:.2f}"


def _quantity(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
