"""Marked goods (маркировка, «Честный ЗНАК»), objects by format and excise: R35-R41, R65."""

from __future__ import annotations

from collections.abc import Sequence

from chekhov.fiscal.document import Line
from chekhov.fiscal.quantity import ONE
from chekhov.fiscal.rules.case import HANDOVER_METHODS, MARKED_OBJECTS, MARKED_TYPES, WITH_CODE, Case
from chekhov.fiscal.rules.rule import FINE, NOTICE, REFUSAL, Broken, document_rule
from chekhov.fiscal.vocabulary import CalculationSign, Ffd, PaymentObject, PlannedStatus, Unit

_ONLY_1_2 = MARKED_OBJECTS | {PaymentObject.CASH_OUT}
_EXCISE = frozenset({PaymentObject.EXCISE, PaymentObject.EXCISE_NO_CODE, PaymentObject.EXCISE_WITH_CODE})
_MEASURED = frozenset({PlannedStatus.MEASURED_BEING_SOLD, PlannedStatus.PART_RETURNED, PlannedStatus.MEASURED_SOLD})
_STATUSES = {
    CalculationSign.SALE: frozenset(
        {
            PlannedStatus.PIECE_SOLD,
            PlannedStatus.MEASURED_BEING_SOLD,
            PlannedStatus.PIECE_BEING_SOLD,
            PlannedStatus.MEASURED_SOLD,
            PlannedStatus.UNCHANGED,
        }
    ),
    CalculationSign.SALE_RETURN: frozenset(
        {PlannedStatus.PIECE_RETURNED, PlannedStatus.PART_RETURNED, PlannedStatus.UNCHANGED}
    ),
}


@document_rule(
    "R35",
    "OBJECT_FFD",
    REFUSAL,
    condition="Предметы расчёта 27 и 30-33 есть только в ФФД 1.2.",
    next_step="Для маркированных товаров нужна касса с ФФД 1.2.",
)
def objects_exist_in_format(case: Case) -> Sequence[Broken]:
    if case.register.ffd is Ffd.V1_2 or case.objects.isdisjoint(_ONLY_1_2):
        return FINE
    return [
        Broken(
            f"lines[{index}].payment_object",
            f"«{line.name}»: предмета «{line.payment_object.label}» в ФФД {case.register.ffd.label} нет",
        )
        for index, line in enumerate(case.lines)
        if line.payment_object in _ONLY_1_2
    ]


def _marked_line_fault(line: Line) -> str:
    mark = line.mark
    if mark is None or not mark.code:
        return "нет кода маркировки"
    if mark.type not in MARKED_TYPES:
        return f"код вида «{mark.type.label}» — не код маркировки"
    if line.planned_status is None:
        return "нет планируемого статуса (тег 2003)"
    if line.payment_method not in HANDOVER_METHODS:
        return f"способ расчёта «{line.payment_method.label}», а код передаётся только при выдаче"
    if mark.part is not None or mark.wholesale:
        return ""
    if line.unit is Unit.PIECE:
        return "" if line.quantity == ONE else f"количество {line.quantity.human}, а одному коду отвечает одна штука"
    return "" if line.planned_status in _MEASURED else "мерный товар, а планируемый статус — штучный"


@document_rule(
    "R36",
    "MARKED_LINE",
    REFUSAL,
    condition="Маркированный товар с кодом (1212 = 31, 33): код и планируемый статус (2003) есть, способ расчёта "
    "4, 5 или 6; одна штука в строке, либо часть упаковки, ОСУ или мера со статусом 2, 4, 6.",
    next_step="Отсканируйте код каждой штуки и поставьте каждую отдельной строкой.",
)
def marked_lines_have_their_code(case: Case) -> Sequence[Broken]:
    """The format itself (FFD 1.2) is asked for by R35."""
    if case.objects.isdisjoint(WITH_CODE):
        return FINE
    broken = FINE
    for index, line in enumerate(case.lines):
        if line.payment_object in WITH_CODE:
            fault = _marked_line_fault(line)
            if fault:
                broken += (Broken(f"lines[{index}].mark", f"«{line.name}»: {fault}"),)
    return broken


@document_rule(
    "R37",
    "CODE_WITHOUT_OBJECT",
    REFUSAL,
    condition="Код маркировки (виды 1305-1309) стоит только у предметов 31 и 33 (ФФД 1.2).",
    next_step="Выберите предмет «ТМ» или «АТМ» или уберите код.",
)
def codes_stand_on_marked_objects(case: Case) -> Sequence[Broken]:
    if not case.has_marks or case.register.ffd is not Ffd.V1_2:
        return FINE
    return [
        Broken(
            f"lines[{index}].payment_object",
            f"«{line.name}»: есть код маркировки, а предмет расчёта — «{line.payment_object.label}»",
        )
        for index, line in enumerate(case.lines)
        if line.mark is not None and line.mark.type in MARKED_TYPES and line.payment_object not in WITH_CODE
    ]


@document_rule(
    "R38",
    "MARKING_REQUIRED",
    REFUSAL,
    condition="Товар группы, обязательной к маркировке в день расчёта, выдаётся с предметом 30-33; "
    "без кода (30, 32) — только с записанной причиной.",
    next_step="Отсканируйте код; если его нет, запишите причину (повреждён, разрешённые остатки).",
)
def mandatory_marking_is_kept(case: Case) -> Sequence[Broken]:
    groups = case.context.marking_groups
    if not groups:
        return FINE
    broken = FINE
    for index, line in enumerate(case.lines):
        if line.id not in groups or line.payment_method not in HANDOVER_METHODS:
            continue
        path = f"lines[{index}].payment_object"
        if line.payment_object not in MARKED_OBJECTS:
            broken += (
                Broken(
                    path,
                    f"«{line.name}»: группа «{groups[line.id]}» подлежит маркировке, а предмет расчёта — "
                    f"«{line.payment_object.label}»",
                ),
            )
        elif line.payment_object not in WITH_CODE and not line.no_code_reason:
            broken += (Broken(path, f"«{line.name}»: товар без кода маркировки, а причина не записана"),)
    return broken


@document_rule(
    "R39",
    "PLANNED_STATUS",
    REFUSAL,
    condition="Планируемый статус (2003) отвечает признаку расчёта: приход — 1, 2, 5, 6; возврат прихода — 3, 4; "
    "255 — любой.",
    next_step="Выберите статус продажи в приходе и статус возврата в возврате.",
)
def planned_status_fits_sign(case: Case) -> Sequence[Broken]:
    statuses = _STATUSES.get(case.document.sign)
    if not case.has_marks or statuses is None:
        return FINE
    return [
        Broken(
            f"lines[{index}].planned_status",
            f"«{line.name}»: статус «{line.planned_status.label}» не подходит признаку «{case.document.sign.label}»",
        )
        for index, line in enumerate(case.lines)
        if line.planned_status is not None and line.planned_status not in statuses
    ]


@document_rule(
    "R40",
    "CODE_REUSED",
    REFUSAL,
    condition="Код маркировки встречается в чеке один раз и ещё не продан; части упаковки, мерный товар и ОСУ — "
    "исключения.",
    next_step="Отсканируйте код этой штуки заново: этот уже использован.",
)
def codes_are_used_once(case: Case) -> Sequence[Broken]:
    if not case.has_marks:
        return FINE
    seen: set[str] = set()
    broken = FINE
    for index, line in enumerate(case.lines):
        mark = line.mark
        if mark is None or mark.type not in MARKED_TYPES:
            continue
        if mark.part is not None or mark.wholesale or line.unit is not Unit.PIECE:
            continue
        if mark.code in seen:
            broken += (Broken(f"lines[{index}].mark", f"«{line.name}»: этот код маркировки уже есть в чеке"),)
        elif case.is_sale and mark.code in case.context.sold_codes:
            broken += (Broken(f"lines[{index}].mark", f"«{line.name}»: товар с этим кодом уже продан"),)
        seen.add(mark.code)
    return broken


@document_rule(
    "R41",
    "PERMISSION_CHECK",
    REFUSAL,
    NOTICE,
    condition="Код под разрешительным режимом проверен недавно и разрешён, ответ записан в строку (тег 1260); "
    "если проверки не ответили, продажа идёт с отметкой.",
    next_step="Повторите проверку кода перед продажей; запрещённый товар продавать нельзя.",
)
def codes_are_permitted(case: Case) -> Sequence[Broken]:
    """Decree of the government № 1944 of 2023-11-21. Only sales are checked."""
    if not case.has_marks or not case.is_sale:
        return FINE
    context = case.context
    broken = FINE
    for index, line in enumerate(case.lines):
        mark = line.mark
        if mark is None or mark.type not in MARKED_TYPES or line.payment_method not in HANDOVER_METHODS:
            continue
        verdict = context.permission_codes.get(mark.code)
        if verdict is None:
            group = context.marking_groups.get(line.id)
            if group is None or group in context.groups_without_check:
                continue
        path = f"lines[{index}].mark"
        if verdict == "allowed":
            if not line.sectoral:
                broken += (
                    Broken(
                        f"lines[{index}].sectoral",
                        f"«{line.name}»: ответ проверки кода не записан в строку (тег 1260)",
                        REFUSAL,
                    ),
                )
        elif verdict == "no_answer":
            broken += (
                Broken(
                    path,
                    f"«{line.name}»: проверка кода не ответила",
                    NOTICE,
                    "Продажа разрешена: отсутствие ответа записано в журнал.",
                ),
            )
        else:
            why = {"denied": "код запрещён к продаже", "stale": "проверка кода устарела"}
            broken += (Broken(path, f"«{line.name}»: {why.get(verdict or '', 'код не проверен')}", REFUSAL),)
    return broken


@document_rule(
    "R65",
    "EXCISE_REGISTER",
    REFUSAL,
    NOTICE,
    condition="Подакцизный товар (1212 = 2, 30, 31) пробивается кассой, зарегистрированной для него (1207).",
    next_step="Выберите кассу с признаком подакцизных товаров или перерегистрируйте эту.",
)
def excise_register_is_used(case: Case) -> Sequence[Broken]:
    if case.objects.isdisjoint(_EXCISE) or case.register.excise is True:
        return FINE
    index, line = next((index, line) for index, line in enumerate(case.lines) if line.payment_object in _EXCISE)
    path = f"lines[{index}].payment_object"
    if case.register.excise is None:
        return [
            Broken(
                path,
                f"«{line.name}»: неизвестно, зарегистрирована ли касса для подакцизных товаров",
                NOTICE,
                "Отметьте в настройках кассы, зарегистрирована ли она для подакцизных товаров.",
            )
        ]
    return [Broken(path, f"«{line.name}»: касса не зарегистрирована для подакцизных товаров", REFUSAL)]
