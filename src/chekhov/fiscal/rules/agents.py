"""Agents and suppliers: R42."""

from __future__ import annotations

from collections.abc import Sequence

from chekhov.fiscal.document import Line
from chekhov.fiscal.inn import is_inn_or_foreign
from chekhov.fiscal.rules.case import Case
from chekhov.fiscal.rules.rule import FINE, REFUSAL, Broken, document_rule


def _faults(line: Line) -> list[tuple[str, str]]:
    agent, supplier = line.agent, line.supplier
    if agent is None:
        return [] if supplier is None else [("agent", "указан поставщик, а признака агента (1222) нет")]
    if supplier is None:
        return [("supplier", "признак агента без поставщика (теги 1224, 1226)")]
    faults = []
    if not is_inn_or_foreign(supplier.inn):
        faults.append(("supplier.inn", f"ИНН поставщика «{supplier.inn}» не проходит проверку"))
    if not supplier.name.strip():
        faults.append(("supplier.name", "наименование поставщика (1225) не указано"))
    if not supplier.phones:
        faults.append(("supplier.phones", "телефон поставщика (1171) не указан"))
    for path, text, limit, tag in (
        ("supplier.name", supplier.name, 256, 1225),
        ("agent.operation", agent.operation, 24, 1044),
        ("agent.transfer_name", agent.transfer_name, 64, 1026),
        ("agent.transfer_address", agent.transfer_address, 256, 1005),
    ):
        if len(text) > limit:
            faults.append((path, f"тег {tag} длиннее {limit} знаков"))
    return faults


@document_rule(
    "R42",
    "AGENT_SUPPLIER",
    REFUSAL,
    condition="Признак агента (1222) стоит вместе с поставщиком: ИНН (1226) верен, наименование (1225) и телефон "
    "(1171) указаны; тексты агента помещаются.",
    next_step="Заполните поставщика: ИНН, наименование и телефон; у иностранца без ИНН — двенадцать нулей.",
)
def agents_name_their_supplier(case: Case) -> Sequence[Broken]:
    if not case.has_agents:
        return FINE
    return [
        Broken(f"lines[{index}].{path}", f"«{line.name}»: {fault}")
        for index, line in enumerate(case.lines)
        for path, fault in _faults(line)
    ]
