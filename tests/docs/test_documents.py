"""What the documents say in figures and lists is compared with what the code says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from chekhov.config.env import VARIABLES
from chekhov.receipts.states import diagram

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def block(document: str, name: str) -> str:
    found = re.search(rf"<!-- {name}:begin[^>]*-->(.*?)<!-- {name}:end -->", document, re.DOTALL)
    assert found, f"the document has no block {name}"
    return found[1]


def test_the_diagram_of_states_is_the_table_of_transitions():
    document = (ROOT / "docs/delivery.md").read_text("utf-8")
    assert block(document, "states").strip() == f"```mermaid\n{diagram()}\n```"


def test_the_table_of_rules_is_the_one_that_judges():
    printed = subprocess.run(
        [sys.executable, "-m", "chekhov.fiscal.rules"], capture_output=True, text=True, check=True, cwd=ROOT / "src"
    ).stdout
    assert block((ROOT / "docs/rules.md").read_text("utf-8"), "rules").strip() == printed.strip()


def test_the_example_of_settings_names_every_variable_and_no_other():
    text = (ROOT / "chekhov.env.example").read_text("utf-8")
    named = {name.removesuffix("_FILE") for name in re.findall(r"CHEKHOV_[A-Z_]+(?==)", text)}
    assert named == set(VARIABLES)


def test_both_readmes_point_at_each_other_and_have_the_same_chapters():
    english, russian = (ROOT / "README.md").read_text("utf-8"), (ROOT / "README.ru.md").read_text("utf-8")
    assert "README.ru.md" in english
    assert "README.md" in russian
    assert len(re.findall(r"^## ", english, re.MULTILINE)) == len(re.findall(r"^## ", russian, re.MULTILINE))
    for command in ("make run", "make test", "make demo"):
        assert command in english
        assert command in russian


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_within_the_project_leads_somewhere(document: Path):
    for target in re.findall(r"\]\(([^)#\s]+)", document.read_text("utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (document.parent / target).exists(), target
