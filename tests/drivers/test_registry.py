"""The providers on offer."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import chekhov.drivers
from chekhov.drivers import registry
from chekhov.drivers.contract import Driver
from chekhov.drivers.errors import UnknownProvider

ROOM = Path(chekhov.drivers.__path__[0])


def test_the_real_provider_comes_first() -> None:
    assert [(one.code, one.title) for one in registry.available()] == [
        ("komtet", "Комтет Касса"),
        ("test", "Тестовая касса"),
    ]


def test_a_provider_is_found_by_its_code() -> None:
    komtet, test = registry.get("komtet"), registry.get("test")

    assert komtet.service_url == "https://kassa.komtet.ru"
    assert not komtet.is_emulator
    assert test.service_url is None
    assert test.is_emulator


def test_an_unknown_code_is_an_error() -> None:
    with pytest.raises(UnknownProvider) as caught:
        registry.get("atol")

    assert caught.value.code == "atol"


def test_every_driver_declares_itself_whole() -> None:
    for provider in registry.available():
        driver: Driver = provider.driver
        names = [field.name for field in driver.settings]
        assert sorted(names) == ["queue", "secret", "service_url", "shop_id"]
        assert driver.capabilities.min_poll_seconds >= 1
        assert driver.capabilities.poll_schedule_seconds
        assert len("00000000-0000-0000-0000-000000000000") <= driver.capabilities.max_key


def test_the_room_imports_the_fiscal_room_and_the_standard_library_only() -> None:
    for file in ROOM.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names = [node.module or ""]
            for name in names:
                allowed = name.startswith(("chekhov.drivers", "chekhov.fiscal")) or name.split(".")[0] in {
                    *sys.stdlib_module_names,
                    "orjson",
                }
                assert allowed, f"{file.name} imports {name}"


def test_the_room_has_no_binary_floats() -> None:
    for file in ROOM.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), file
            assert not (isinstance(node, ast.Name) and node.id == "float"), file
