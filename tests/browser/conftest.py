"""Chromium against the whole product, started as a user starts it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.product import ROOT, Product, sign_in

from invoiceapp.demo.addresses import Addresses
from invoiceapp.demo.serve import running

SCREENS = ROOT / "docs" / "screens"
#: Without these, Chromium calls home at every start.
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-quic",
]  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The demo company is looked at as it is after its start, before other walks send again and mend things in it."""
    items.sort(key=lambda item: "test_main_job" not in item.nodeid)


def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    started = Product(tmp_path_factory.mktemp("product"))
    yield started
    started.close()


@dataclass(frozen=True, slots=True)
class EmptyInstall:
    """A product with one user and nothing else, and somebody else's Billy and receivers on this machine."""

    product: Product
    partners: Addresses
    email: str = "ny@example.com"
    password: str = "korrekt-hest-batteri"


@pytest.fixture(scope="session")
def empty_install(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmptyInstall]:
    with running(tmp_path_factory.mktemp("partners")) as partners:
        product = Product(tmp_path_factory.mktemp("empty"), demo=False)
        install = EmptyInstall(product, partners)
        product.command(
            "users", "create-admin", "--company", "Ny Bogholder ApS", "--email", install.email,
            "--password", install.password,
        )  # fmt: skip
        yield install
        product.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = _chromium()
    if path is None:
        pytest.skip("no Chromium: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def signed_in_state(browser: Browser, product: Product) -> dict:
    return sign_in(browser, product)


def _fail_on_complaints(page: Page, complaints: list[str]) -> None:
    def listen(message: ConsoleMessage) -> None:
        if message.type == "error" and "the server responded with a status of 4" not in message.text:
            complaints.append(f"{page.url}: {message.text}")

    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))


@pytest.fixture
def open_page(browser: Browser, product: Product, signed_in_state: dict) -> Iterator[Callable[..., Page]]:
    """``open_page(width=1280, dark=False, javascript=True)``; any console error or CSP violation fails the test."""
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def make(width: int = 1280, dark: bool = False, javascript: bool = True, signed_in: bool = True) -> Page:
        context = browser.new_context(
            base_url=product.url,
            viewport={"width": width, "height": 900 if width > 500 else 844},
            color_scheme="dark" if dark else "light",
            java_script_enabled=javascript,
            storage_state=signed_in_state if signed_in else None,
            locale="da-DK",
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        _fail_on_complaints(page, complaints)
        return page

    yield make
    for context in contexts:
        context.close()
    assert not complaints, complaints


@pytest.fixture
def no_axe_violations() -> Callable[[Page], None]:
    def check(page: Page) -> None:
        # A click may just have left the page before, which has no document to look at any more.
        page.wait_for_load_state()
        page.locator("main").first.wait_for()
        found = Axe().run(page)
        assert found.violations_count == 0, f"{page.url}\n{found.generate_report()}"

    return check


@pytest.fixture
def screenshot(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Keeps a picture in docs/screens when asked to."""

    def take(page: Page, name: str) -> None:
        if request.config.getoption("--update-screens"):
            SCREENS.mkdir(parents=True, exist_ok=True)
            # Hiding the caret would put a style into the page, which our Content-Security-Policy refuses.
            page.screenshot(path=SCREENS / f"{name}.png", full_page=False, caret="initial")

    return take
