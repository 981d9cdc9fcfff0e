"""docs/delivery.md numbers every crash point and every fault: no number may be without a test that exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FAULTS = ROOT / "tests" / "faults"


def numbered() -> list[tuple[int, list[str]]]:
    """Each numbered row of the document with the tests that it names."""
    document = (ROOT / "docs/delivery.md").read_text("utf-8")
    found = re.search(r"<!-- faults:begin -->(.*?)<!-- faults:end -->", document, re.DOTALL)
    assert found, "the document has no block of faults"
    rows = re.findall(r"^\| (\d+) \|.*\|([^|]*)\|$", found[1], re.MULTILINE)
    return [(int(number), re.findall(r"`(\w+::\w+)`", tests)) for number, tests in rows]


def functions_of(room: str) -> set[str]:
    tree = ast.parse((FAULTS / f"test_{room}.py").read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_the_numbers_have_no_gap():
    numbers = [number for number, _ in numbered()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 50


@pytest.mark.parametrize(
    ("number", "tests"), numbered(), ids=lambda value: str(value) if isinstance(value, int) else ""
)
def test_every_number_has_a_test_that_exists(number: int, tests: list[str]):
    assert tests, f"{number} has no test"
    for test in tests:
        room, _, name = test.partition("::")
        assert name in functions_of(room), f"{number}: {test} does not exist"
