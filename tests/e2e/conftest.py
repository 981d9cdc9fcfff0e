"""Real processes and a real browser: an installation that is empty, a demo shop, pages on a desktop and a tablet.

With SCREENSHOTS=folder the tests also write the pictures of the documentation there.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from chekhov.emulator.testing import EmulatorProcess
from chekhov.supervision import free_port

ROOT = Path(__file__).resolve().parents[2]
NAMES = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in NAMES if name and (found := shutil.which(name))), "")
LOGIN, PASSWORD = "owner", "a long phrase for tests"
DESKTOP, TABLET = {"width": 1280, "height": 900}, {"width": 820, "height": 1180}
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a browser; without one it is skipped, or refused where REQUIRE_CHROMIUM=1."""
    if not CHROMIUM and os.environ.get("REQUIRE_CHROMIUM") == "1":
        raise pytest.UsageError("REQUIRE_CHROMIUM=1, and no Chromium was found")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(300))
            if not CHROMIUM:
                item.add_marker(pytest.mark.skip(reason="no Chromium found: apt-get install chromium"))


@dataclass
class Installation:
    """A running Chekhov with its data folder."""

    folder: Path
    port: int
    environment: dict[str, str]
    login: str
    password: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *arguments: str, text: str = "") -> None:
        """Run one command of `chekhov` to its end."""
        command = [sys.executable, "-m", "chekhov.cli", *arguments]
        subprocess.run(command, env=self.environment, input=text.encode(), check=True, capture_output=True, cwd=ROOT)

    def start(self, *arguments: str) -> None:
        """Start a command of `chekhov` that stays."""
        log = (self.folder / f"{arguments[0]}.log").open("ab")
        command = [sys.executable, "-m", "chekhov.cli", *arguments]
        self.processes.append(
            subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, cwd=ROOT, start_new_session=True)
        )
        log.close()

    def wait(self, seconds: float = 90) -> None:
        """Until the web process answers."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                with _open(f"{self.url}/healthz", timeout=2):
                    return
            except OSError:
                if time.monotonic() > deadline:
                    raise RuntimeError(self.logs()) from None
                time.sleep(0.2)

    def logs(self) -> str:
        return "\n".join(file.read_text("utf-8", "replace")[-3000:] for file in self.folder.glob("*.log"))

    def stop(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _installation(folder: Path, login: str, password: str, **variables: str) -> Installation:
    port = free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CHEKHOV_")}
    environment = {
        **clean,
        "PYTHONPATH": str(ROOT / "src"),
        "CHEKHOV_DATA_DIR": str(folder),
        "CHEKHOV_BASE_URL": f"http://127.0.0.1:{port}",
        **variables,
    }
    return Installation(folder, port, environment, login, password)


@pytest.fixture(scope="session")
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess("--print-delay-ms", "300") as process:
        yield process


@pytest.fixture
def empty(tmp_path: Path, emulator: EmulatorProcess) -> Iterator[Installation]:
    """A fresh installation with one person, its worker running."""
    made = _installation(tmp_path, LOGIN, PASSWORD, CHEKHOV_EMULATOR_URL=emulator.base_url)
    made.run("migrate")
    made.run("createadmin", LOGIN, "--password-stdin", text=f"{PASSWORD}\n")
    made.start("web", "--port", str(made.port))
    made.start("worker")
    try:
        made.wait()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The demo shop: regions, registers, some days of trade."""
    folder, emulator_port = tmp_path_factory.mktemp("demo"), free_port()
    made = _installation(folder, "demo", "")
    made.environment["CHEKHOV_EMULATOR_URL"] = f"http://127.0.0.1:{emulator_port}"
    made.start("up", "--demo", "--port", str(made.port), "--emulator-port", str(emulator_port))
    try:
        made.wait()
        made.password = (folder / "demo.password").read_text("ascii").strip()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield started
        started.close()


@pytest.fixture
def contexts(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Makes browser contexts; each one's complaints in the console fail the test."""
    made: list[BrowserContext] = []
    complaints: list[str] = []

    def make(**options: Any) -> BrowserContext:
        context = browser.new_context(**{"viewport": DESKTOP, "locale": "ru-RU", **options})
        context.set_default_timeout(20_000)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on(
            "console",
            lambda message: complaints.append(message.text) if message.type == "error" else None,
        )
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()
    expected = (
        "status of 422",
        "htmx:sendAbort",
        "htmx:afterRequest",
    )  # a refused form; a request that a newer replaced
    assert not [text for text in complaints if not any(words in text for words in expected)]


def log_in(context: BrowserContext, where: Installation) -> Page:
    """A page on which the installation's person has logged in."""
    page = context.new_page()
    page.goto(where.url)
    page.get_by_label("Имя пользователя").fill(where.login)
    page.get_by_label("Пароль", exact=False).first.fill(where.password)
    page.get_by_role("button", name="Войти").click()
    page.wait_for_url(re.compile(r"/admin/$"))
    return page


def picture(page: Page, name: str, *, full_page: bool = False) -> None:
    """Write a picture of the documentation, if SCREENSHOTS names a folder."""
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        target = ROOT / folder
        target.mkdir(parents=True, exist_ok=True)
        page.wait_for_timeout(300)
        page.screenshot(path=target / f"{name}.png", full_page=full_page)
