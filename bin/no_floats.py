"""Money and quantity are integers: refuses floats and DecimalField in the rooms where sums are made.

Asking whether a value is a float, to refuse it, is the one exception.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOMS = ("fiscal", "drivers", "sales", "receipts", "registers", "directory", "api")
FORBIDDEN_NAMES = {"float", "FloatField", "DecimalField"}


def offences(path: Path) -> list[str]:
    """Lines of a file that make or name a float."""
    found = []
    tree = ast.parse(path.read_text("utf-8"))
    asked = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance"
        for inner in ast.walk(node.args[1])
    }
    for node in ast.walk(tree):
        if id(node) in asked:
            continue
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if name in FORBIDDEN_NAMES:
            found.append(f"{path}:{node.lineno}: {name}")
        elif isinstance(node, ast.Constant) and isinstance(node.value, float):
            found.append(f"{path}:{node.lineno}: the float {node.value}")
    return found


def main() -> int:
    source = Path(__file__).resolve().parent.parent / "src" / "chekhov"
    found = [line for room in ROOMS for path in sorted((source / room).rglob("*.py")) for line in offences(path)]
    print("\n".join(found) or "no floats near money")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
