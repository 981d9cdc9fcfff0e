"""Print the table of rules as Markdown: ``python -m chekhov.fiscal.rules``."""

from __future__ import annotations

import sys

from chekhov.fiscal.rules import RULES


def table() -> str:
    """All rules as a Markdown table."""
    rows = [
        f"| {rule.id} | {rule.severity} | `{rule.code}` | {rule.condition} | {rule.next_step} |"
        for rule in RULES.values()
    ]
    return "\n".join(
        ["| № | Строгость | Код | Что должно выполняться | Что делать |", "|---|:-:|---|---|---|", *rows, ""]
    )


if __name__ == "__main__":
    sys.stdout.write(table())
