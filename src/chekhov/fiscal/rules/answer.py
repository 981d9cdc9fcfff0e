"""What the register gave back, against what was sent: R24, R57-R59."""

from __future__ import annotations

import re
from collections.abc import Sequence

from chekhov.fiscal.qr import QrError, QrFields, parse_qr
from chekhov.fiscal.rules.case import Answer, roubles
from chekhov.fiscal.rules.rule import FINE, NOTICE, REFUSAL, Broken, answer_rule
from chekhov.fiscal.vat import VAT_TABLE, vat_totals

_FN = re.compile(r"\d{16}", re.ASCII)
_FP = re.compile(r"\d{1,10}", re.ASCII)
_AT = re.compile(r"\d{8}T\d{4}(?:\d{2})?", re.ASCII)


@answer_rule(
    "R24",
    "VAT_DIFF",
    NOTICE,
    condition="НДС, посчитанный кассой, отличается от нашего не больше чем на копейку за строку по каждой ставке.",
    next_step="Сверьте ставки чека с отчётом кассы: разница больше, чем даёт округление.",
)
def vat_agrees(answer: Answer) -> Sequence[Broken]:
    """A register may sum rounded lines or round the summed base: both are lawful and differ by kopecks."""
    if answer.vat is None:
        return FINE
    expected = {code: amount.kopecks for code, amount in vat_totals(answer.document.lines).items()}
    returned = {code: amount.kopecks for code, amount in answer.vat.items()}
    allowed = len(answer.document.lines)
    broken = FINE
    for code in sorted(expected.keys() | returned.keys()):
        if code not in returned and VAT_TABLE[code].percent is None:
            continue  # the turnover at 0 % and without VAT is not always given back
        ours, theirs = expected.get(code, 0), returned.get(code, 0)
        if abs(ours - theirs) > allowed:
            broken += (
                Broken("vat", f"НДС по ставке «{code.label}»: касса вернула {roubles(theirs)}, у нас {roubles(ours)}"),
            )
    return broken


@answer_rule(
    "R57",
    "FISCAL_RESULT",
    REFUSAL,
    condition="В ответе номер ФН (1041) из 16 цифр, номер документа (1040) больше нуля, ФПД (1077) из 1-10 цифр, время "
    "(1012); пара (1041, 1040) не встречалась у другого документа.",
    next_step="Не пробивайте чек заново: сверьте его по номеру ФН и ФД в кабинете кассы или ОФД.",
)
def fiscal_data_is_whole(answer: Answer) -> Sequence[Broken]:
    result = answer.result
    broken = FINE
    if not _FN.fullmatch(result.fn):
        broken += (Broken("fn", f"Номер ФН «{result.fn}» — не 16 цифр"),)
    if result.fd <= 0:
        broken += (Broken("fd", f"Номер фискального документа {result.fd} — не больше нуля"),)
    if not _FP.fullmatch(result.fp):
        broken += (Broken("fp", f"ФПД «{result.fp}» — не от 1 до 10 цифр"),)
    if not _AT.fullmatch(result.at):
        broken += (Broken("at", f"Время чека «{result.at}» — не вида ГГГГММДДTЧЧММ"),)
    if (result.fn, result.fd) in answer.known:
        broken += (Broken("fd", f"ФН {result.fn}, ФД {result.fd} уже есть у другого чека"),)
    return broken


@answer_rule(
    "R58",
    "FISCAL_MISMATCH",
    REFUSAL,
    condition="Итог и признак расчёта в ответе — те же, что отправлены.",
    next_step="Это ответ на другой чек или касса исказила его: разберитесь с поставщиком, не пробивайте заново.",
)
def answer_is_about_this_document(answer: Answer) -> Sequence[Broken]:
    document, result = answer.document, answer.result
    broken = FINE
    if result.total != document.total:
        broken += (
            Broken("total", f"Касса вернула итог {result.total.human} руб., отправлен {document.total.human} руб."),
        )
    if result.sign != document.sign:
        broken += (Broken("sign", f"Касса вернула признак расчёта {result.sign}, отправлен {int(document.sign)}"),)
    return broken


@answer_rule(
    "R59",
    "QR_MISMATCH",
    REFUSAL,
    condition="QR-код чека (1196) говорит то же, что поля ответа: время, итог, ФН, ФД, ФПД, признак.",
    next_step="Не показывайте этот QR-код покупателю: сверьте чек в кабинете кассы или ОФД.",
)
def qr_says_the_same(answer: Answer) -> Sequence[Broken]:
    if not answer.qr:
        return FINE
    try:
        read = parse_qr(answer.qr)
    except QrError:
        return [Broken("qr", f"QR-код «{answer.qr}» не читается")]
    try:
        expected = QrFields.of(answer.result)
    except QrError:
        return FINE  # R57 tells
    broken = FINE
    for name, theirs, ours in (
        ("t", read.minute, expected.minute),
        ("s", read.total, expected.total),
        ("fn", read.fn, expected.fn),
        ("i", read.fd, expected.fd),
        ("fp", read.fp, expected.fp),
        ("n", read.sign, expected.sign),
    ):
        if theirs != ours:
            broken += (Broken("qr", f"В QR-коде {name}={theirs}, а в ответе {ours}"),)
    return broken
