"""Settings from the environment: a mistake stops the start and says which variable it is."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from chekhov.config.env import VARIABLES, Environment, SettingsError

ROOT = Path(__file__).resolve().parents[2]


def test_defaults_are_filled_in() -> None:
    environment = Environment({})

    assert environment.text("CHEKHOV_DATA_DIR") == "./var"
    assert environment.integer("CHEKHOV_LEASE_SECONDS") == 120
    assert environment.flag("CHEKHOV_DEBUG") is False


def test_every_variable_is_explained() -> None:
    assert all(variable.help for variable in VARIABLES.values())


def test_an_unknown_variable_is_an_error() -> None:
    with pytest.raises(SettingsError, match="CHEKHOV_DATABSE_URL"):
        Environment({"CHEKHOV_DATABSE_URL": "x"})


def test_variables_of_others_are_none_of_our_business() -> None:
    Environment({"DATABASE_URL": "x", "PATH": "/bin"})


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(" of-the-file \n")

    assert Environment({"CHEKHOV_SECRET_KEY_FILE": str(file)}).text("CHEKHOV_SECRET_KEY") == "of-the-file"


def test_only_secrets_come_from_files(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="unknown"):
        Environment({"CHEKHOV_DEBUG_FILE": str(tmp_path)})


def test_a_secret_and_its_file_together_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="both"):
        Environment({"CHEKHOV_SECRET_KEY": "a", "CHEKHOV_SECRET_KEY_FILE": str(tmp_path)})


def test_a_file_that_is_not_there_is_an_error_without_its_content(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read"):
        Environment({"CHEKHOV_SECRET_KEY_FILE": str(tmp_path / "none")})


@pytest.mark.parametrize("value", ["ten", "", "1.5", "0", "86401"])
def test_a_number_out_of_its_range_is_an_error(value: str) -> None:
    with pytest.raises(SettingsError, match="CHEKHOV_LEASE_SECONDS"):
        Environment({"CHEKHOV_LEASE_SECONDS": value}).integer("CHEKHOV_LEASE_SECONDS", least=5, most=86_400)


@pytest.mark.parametrize(("value", "flag"), [("1", True), ("yes", True), ("TRUE", True), ("0", False), ("no", False)])
def test_a_flag_is_read(value: str, flag: bool) -> None:
    assert Environment({"CHEKHOV_DEBUG": value}).flag("CHEKHOV_DEBUG") is flag


def test_a_flag_that_is_none_is_an_error() -> None:
    with pytest.raises(SettingsError, match="0 or 1"):
        Environment({"CHEKHOV_DEBUG": "maybe"}).flag("CHEKHOV_DEBUG")


def test_a_secret_is_made_once_kept_and_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    first = Environment({}).kept_secret("CHEKHOV_SECRET_KEY", folder, "secret.key")

    assert first == Environment({}).kept_secret("CHEKHOV_SECRET_KEY", folder, "secret.key")
    assert len(first) >= 43
    assert stat.S_IMODE((folder / "secret.key").stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["secret.key"]


def test_a_secret_that_is_given_is_not_written_down(tmp_path: Path) -> None:
    given = Environment({"CHEKHOV_SECRET_KEY": "given"}).kept_secret("CHEKHOV_SECRET_KEY", tmp_path, "secret.key")

    assert given == "given"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"CHEKHOV_LEASE_SECONDS": "10"}, "longer than"),
        ({"CHEKHOV_CLOCK": "yesterday"}, "CHEKHOV_CLOCK"),
        ({"CHEKHOV_CLOCK": "2025-12-20T10:00:00"}, "offset"),
        ({"CHEKHOV_BASE_URL": "kassa.example"}, "CHEKHOV_BASE_URL"),
        ({"CHEKHOV_DATABASE_URL": "mysql://root@localhost/x"}, "CHEKHOV_DATABASE_URL"),
        ({"CHEKHOV_WEB_PROCESSES": "2"}, "PostgreSQL"),
    ],
)
def test_a_wrong_setting_stops_the_start(variables: dict[str, str], words: str, tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHEKHOV_")}
    ended = subprocess.run(
        [sys.executable, "-c", "import chekhov.config.settings"],
        env={**kept, "PYTHONPATH": str(ROOT / "src"), "CHEKHOV_DATA_DIR": str(tmp_path), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ended.returncode != 0
    assert "SettingsError" in ended.stderr
    assert words in ended.stderr
