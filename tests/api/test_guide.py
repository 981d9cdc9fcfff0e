"""docs/api.md tells the truth: its calls are made in its order and answered as it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson

from chekhov.api.problems import CODES
from tests.api.conftest import Caller

GUIDE = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
_BLOCK = re.compile(r"(<!--[^>]*-->\n)?```(sh|json)\n(.*?)```", re.DOTALL)
_CALL = re.compile(r'curl (?:-X (\w+) )?"?\$API/([^\s"]+)"? -H "\$KEY"(?: -d \'(.*)\')?\s*', re.DOTALL)
VARYING = {"organization", "register", "created_at", "changed_at"}  # and every UUID


def same(shown: Any, real: Any, key: str = "") -> bool:
    """Whether an answer is as shown, but for what differs from shop to shop and from day to day."""
    if isinstance(shown, dict):
        return isinstance(real, dict) and shown.keys() == real.keys() and all(same(shown[k], real[k], k) for k in shown)
    if isinstance(shown, list):
        return isinstance(real, list) and len(shown) == len(real) and all(map(same, shown, real))
    return key in VARYING or (key == "id" and len(str(shown)) == 36) or shown == real


def test_the_calls_are_answered_as_shown(api: Caller) -> None:
    answer: Any = None
    calls = compared = 0
    for remark, language, text in _BLOCK.findall(GUIDE):
        if language == "json" and not remark:
            shown = orjson.loads(text)
            assert same(shown, answer), (shown, answer)
            compared += 1
        match = _CALL.fullmatch(text) if language == "sh" else None
        if match is not None and "receipts/" not in match[2]:
            answer = api(match[1] or "GET", match[2], orjson.loads(match[3]) if match[3] else None)[1]
            calls += 1
    assert (calls, compared) == (10, 8)


def test_every_code_is_in_the_table() -> None:
    for code in CODES:
        assert f"`{code}`" in GUIDE, code


def test_all_json_reads() -> None:
    for _remark, language, text in _BLOCK.findall(GUIDE):
        if language == "json":
            orjson.loads(text)
