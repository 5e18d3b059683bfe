"""From an empty install to the first export, as somebody walks it who has never seen the product."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from invoiceapp.demo.partners.sftp_server import DEMO_PASSWORD, DEMO_USER
from invoiceapp.demo.serve import TOKEN

from .conftest import EmptyInstall

pytestmark = pytest.mark.browser

_MOST_TABS = 300
_IS_FOCUSED = "element => element === document.activeElement"


class Mouse:
    """Points, clicks and types."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, target: Locator) -> None:
        target.click()

    def write(self, target: Locator, text: str) -> None:
        target.fill(text)

    def choose(self, target: Locator, value: str) -> None:
        target.select_option(value)


class Keyboard(Mouse):
    """Tab, Enter, arrows and letters; no element is ever touched otherwise."""

    def _reach(self, target: Locator) -> None:
        element = target.element_handle()
        for _step in range(_MOST_TABS):
            if element.evaluate(_IS_FOCUSED):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab never reaches {target}")

    def press(self, target: Locator) -> None:
        self._reach(target)
        kind = target.get_attribute("type")
        self.page.keyboard.press("Space" if kind in ("checkbox", "radio") else "Enter")
        # A click waits for the page that it opens; a key does not.
        self.page.wait_for_timeout(300)
        self.page.wait_for_load_state()

    def write(self, target: Locator, text: str) -> None:
        self._reach(target)
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.type(text)

    def choose(self, target: Locator, value: str) -> None:
        self._reach(target)
        values = target.evaluate("select => [...select.options].map(option => option.value)")
        self.page.keyboard.press("Home")
        for _step in range(values.index(value)):
            self.page.keyboard.press("ArrowDown")
        expect(target).to_have_value(value)


@dataclass
class Newcomer:
    """One company's way through the screens; every page that is seen may be looked at by ``look``."""

    page: Page
    hand: Mouse
    install: EmptyInstall
    look: Callable[[str], None]
    main: Locator

    def press(self, selector: str) -> None:
        self.hand.press(self.main.locator(selector).first)

    def write(self, selector: str, text: str) -> None:
        self.hand.write(self.main.locator(selector).first, text)

    def choose(self, selector: str, value: str) -> None:
        self.hand.choose(self.main.locator(selector).first, value)

    def menu(self, path: str) -> None:
        """By the menu at the left, which a phone folds."""
        self.page.wait_for_load_state()
        link = self.page.locator(f".side-nav a[href^='{path}']").first
        is_narrow = (self.page.viewport_size or {"width": 0})["width"] < 800
        if is_narrow and not link.is_visible():
            self.hand.press(self.page.locator(".shell-menu-button"))
        self.hand.press(link)
        self.page.wait_for_url(re.compile(re.escape(path)))

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Reload until something is so, as a person does without JavaScript."""
        end = time.monotonic() + 60
        while not is_so():
            assert time.monotonic() < end, f"{what}\n{self.install.product.log.read_text()[-3000:]}"
            self.page.wait_for_timeout(500)
            self.page.reload()

    # --- the way ------------------------------------------------------------------------------------------------------
    def activate(self) -> None:
        self.page.goto("/")
        self.look("newcomer-empty")
        self.press("a[href*='/adaptors']")
        self.look("newcomer-catalogue")
        self.press("#activate-billy")
        self.look("newcomer-activate")
        self.write("#field-name", " ")
        self.press("button.btn-primary")
        expect(self.main.locator("[data-error-summary]")).to_be_visible()
        self.look("newcomer-activate-refused")
        self.write("#field-name", "Nordlys")
        self.choose("#field-environment", "live")
        self.choose("#field-gateway", "new:sftp")
        self.choose("#field-format", "peppol-bis-3")
        self.press("button.btn-primary")
        self.page.wait_for_url(re.compile("/gateways/new"))

    def make_gateway(self) -> None:
        partners = self.install.partners
        self.write("#field-name", "NemHandel-postkasse")
        for name, value in (
            ("host", "127.0.0.1"), ("port", str(partners.sftp_port)), ("username", DEMO_USER), ("password", DEMO_PASSWORD),
            ("host_key", partners.host_key), ("folder", "."),
        ):  # fmt: skip
            self.write(f"#field-{name}", value)
        self.look("newcomer-gateway")
        self.press("form[action*='/gateways'] button.btn-primary")
        self.page.wait_for_url(re.compile("/adaptors/general"))
        expect(self.main.locator("#field-default_gateway")).not_to_have_value("")

    def open_the_past(self) -> None:
        """The demo's documents are of the past; a real newcomer would leave today's date."""
        self.look("newcomer-general")
        date = self.main.locator("#field-start_date")
        if isinstance(self.hand, Keyboard):
            self.hand._reach(date)
            # Chromium moves from part to part by itself; the first of January is the same day in both orders.
            self.page.keyboard.type("01012020")
        else:
            date.fill("2020-01-01")
        self.press("form[action*='/general'] button.btn-primary")
        self.page.wait_for_load_state()
        expect(self.main.locator("#field-start_date")).to_have_value("2020-01-01")

    def connect(self) -> None:
        self.menu("/source")
        form = "form[action$='/connect']"
        self.write(f"{form} [name=token]", "wrong")
        self.write(f"{form} [name=base_url]", self.install.partners.billy_url)
        self.press(f"{form} button.btn-primary")
        expect(self.main.locator(".notice-danger").first).to_be_visible()
        self.look("newcomer-wrong-token")
        self.write(f"{form} [name=token]", TOKEN)
        self.press(f"{form} button[formaction]")
        expect(self.main.locator("#tried")).to_contain_text("Nordlys Kontor & Service ApS")
        if not self.main.locator(f"{form} [name=token]").input_value():
            self.write(f"{form} [name=token]", TOKEN)
        self.press(f"{form} button.btn-primary")
        expect(self.main.locator("#state")).to_contain_text("Nordlys Kontor & Service ApS")
        assert TOKEN not in self.page.content(), "a saved token is never shown again"
        self.until(lambda: not self.main.locator("#reading-run").count(), "the reading does not end")
        self.look("newcomer-source")

    def map_vat(self) -> None:
        self.menu("/vat")
        self.look("newcomer-vat")
        self.press("button[name=use][value=all]")
        expect(self.main.locator("button[name=use][value=all]")).to_have_count(0)

    def check(self) -> None:
        self.menu("/readiness")
        self.until(lambda: self.main.locator("article.finding").count() > 0, "no pre-flight")
        self.look("newcomer-readiness")
        without_country = self.main.locator("article", has_text="Landløs Handel ApS").locator("a.btn-primary").first
        self.hand.press(without_country)
        self.page.wait_for_url(re.compile("/customers/"))
        self.look("newcomer-customer")
        self.write("[id='field-customer.country']", "dk")
        self.press("form:has([id='field-customer.country']) button.btn-primary")
        expect(self.main.locator("[data-error-summary]")).to_be_visible()
        self.look("newcomer-customer-refused")
        self.write("[id='field-customer.country']", "DK")
        self.press("form:has([id='field-customer.country']) button.btn-primary")
        expect(self.main.locator("[data-error-summary]")).to_have_count(0)
        self.menu("/readiness")
        causes = self.main.locator("article h2", has_text="Landløs Handel ApS")
        self.until(lambda: bool(self.main.locator("article").count()) and not causes.count(), "the cure does not show")

    def choose_customers(self) -> None:
        self.menu("/customers")
        expect(self.main.locator("tbody tr")).to_have_count(50)
        self.look("newcomer-customers")
        self.choose("#filter-show", "ready")
        if self.main.locator("#filter-show").evaluate("() => !window.htmx"):
            self.press("form[role=search] button[type=submit]")
        self.page.wait_for_url(re.compile("show=ready"))
        self.press("[name=everything]")
        self.press("button[formaction*='/activate']")
        self.main.locator("#field-format").first.wait_for()
        self.look("newcomer-activate-customers")
        self.choose("#field-format", "peppol-bis-3")
        self.press("form:has(#field-format) button.btn-primary")
        expect(self.page.locator("#flash-messages .notice-success").first).to_be_visible()

    def export_one(self) -> None:
        self.menu("/export")
        self.page.goto("/customers?show=active&sort=-volume")
        self.page.locator("tbody a[href^='/customers/']").first.click()
        number = self.main.locator("a[href^='/documents/']").first.inner_text().strip()
        self.page.goto("/export?by=numbers")
        self.write("[name=numbers]", number)
        self.press("form[action*='/export'] button.btn-primary")
        self.page.wait_for_url(re.compile("/runs/"))
        group = self.main.locator("#form-not_exported")
        self.until(lambda: group.count() > 0, "Billy is not read")
        self.look("newcomer-found")
        self.press("#form-not_exported [name=ids]")
        self.press("#form-not_exported button.btn-primary")
        self.page.wait_for_url(re.compile("/export/"))
        self.look("newcomer-export")
        self.press("form[action$='/export'] button.btn-primary")
        self.page.wait_for_url(re.compile("/runs/"))
        self.page.goto(f"/?q={number}")
        arrived = self.main.locator("tbody tr").first
        self.until(lambda: bool(re.search("Modtaget|Received", arrived.inner_text())), f"{number} does not arrive")
        expect(self.main.locator("#onboarding")).to_have_count(0)
        self.look("newcomer-done")

    def walk(self) -> None:
        for step in (
            self.activate, self.make_gateway, self.open_the_past, self.connect, self.map_vat, self.check,
            self.choose_customers, self.export_one,
        ):  # fmt: skip
            step()


@pytest.fixture
def newcomer(
    browser: Browser, empty_install: EmptyInstall, no_axe_violations: Callable[[Page], None],
    screenshot: Callable[[Page, str], None], request: pytest.FixtureRequest,
) -> Iterator[Callable[..., Newcomer]]:  # fmt: skip
    """``newcomer(width, dark, javascript, english, hand, shows)``: signed in to a company of its own that has nothing."""
    complaints: list[str] = []
    contexts = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error" and "the server responded with a status of 4" not in message.text:
            complaints.append(message.text)

    def make(
        width: int = 1280, dark: bool = False, javascript: bool = True, english: bool = False, hand: type[Mouse] = Mouse,
        shows: bool = False,
    ) -> Newcomer:  # fmt: skip
        email = f"{re.sub('[^a-z0-9]', '-', request.node.name.lower())}@example.com"
        empty_install.product.command(
            "users", "create-admin", "--company", email, "--email", email, "--password", empty_install.password
        )
        context = browser.new_context(
            base_url=empty_install.product.url, viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light", java_script_enabled=javascript, locale="da-DK",
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", listen)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/login")
        if english:
            page.locator("button[name=language][value=en]").first.click()
        page.locator("[name=email]").fill(email)
        page.locator("[name=password]").fill(empty_install.password)
        page.get_by_role("main").locator("button[type=submit]").first.click()
        page.wait_for_url(f"{empty_install.product.url}/")

        def look(name: str) -> None:
            # axe is a script itself.
            if javascript:
                no_axe_violations(page)
                overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                assert overflow <= 0, f"{name} overflows by {overflow} px at {width}"
            assert page.locator("html").get_attribute("lang") == ("en" if english else "da")
            if shows:
                screenshot(page, f"{name}-{width}{'-dark' if dark else ''}")

        return Newcomer(page, hand(page), empty_install, look, page.get_by_role("main"))

    yield make
    for context in contexts:
        context.close()
    assert not complaints, complaints


def test_with_a_mouse_on_a_wide_screen_in_danish(newcomer):
    newcomer(shows=True).walk()


def test_on_a_phone_in_the_dark_in_english(newcomer):
    newcomer(width=390, dark=True, english=True, shows=True).walk()


def test_with_the_keyboard_only(newcomer):
    newcomer(hand=Keyboard).walk()


def test_without_javascript(newcomer):
    newcomer(width=390, javascript=False, english=True).walk()
