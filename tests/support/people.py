"""People before real browser windows: they sign in with their own password and card, and use mouse or keyboard."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

from playwright.sync_api import Browser, Page, Playwright, sync_playwright
from processes import Process, ProcessNetwork
from signing_in import PASSWORD, PIN, at_cost

from services.runtime import build
from shared.casework.accounts import credentials
from shared.casework.accounts.commands import add_account
from shared.casework.here import Actor
from shared.contracts.casework.codes import Role

CHROMIUM = "/usr/bin/chromium"  # Debian's own
FLAGS = ["--headless=new", "--no-sandbox", "--disable-background-networking", "--disable-dev-shm-usage"]
PATIENCE_MS = 20_000  # how long a page may take to change by itself
TABS_MAX = 300  # more steps of the Tab key than any page has stops

STAFF: dict[str, tuple[tuple[str, Role, str], ...]] = {
    "police": (("officer", Role.OFFICER, "ndola_central_vsu"), ("inspector", Role.SUPERVISOR, "ndola_central_vsu")),
    "health": (("nurse", Role.CLINICIAN, "ndola_clinic"), ("in-charge", Role.SUPERVISOR, "ndola_clinic")),
    "social_welfare": (("worker", Role.SOCIAL_WORKER, "ndola_district_office"),),
}
Hand = Literal["mouse", "keyboard"]
Result = TypeVar("Result")


def apart(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Runs asynchronous work in a thread of its own: Playwright's own loop runs in this one."""
    found: list[Result] = []
    thread = threading.Thread(target=lambda: found.append(asyncio.run(work())))
    thread.start()
    thread.join()
    return found[0]


async def hire(network: ProcessNetwork) -> dict[str, credentials.Issued]:
    """Accounts with password, PIN and card, at the cost that the processes take; returns the cards by name."""
    with at_cost(credentials.FULL_COST):
        return await _hire(network)


async def _hire(network: ProcessNetwork) -> dict[str, credentials.Issued]:
    cards = {}
    for kind, staff in STAFF.items():
        agency = build(network.settings(kind), network.names[kind])
        for name, role, facility in staff:
            first = await credentials.one_time()
            async with agency.database.write() as tx:
                account = await add_account(tx, agency.here, name, role, facility)
                cards[name] = await credentials.issue(tx, account, first)
            await credentials.set_own_secrets(agency.database, Actor(account.id, name, role, facility), PASSWORD, PIN)
        await agency.database.close()
    return cards


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; fails where there is none."""
    driver: Playwright
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Person:
    """Somebody at one window. Every touch of hers is counted in `touches`."""

    def __init__(
        self, browser: Browser, process: Process, name: str, card: credentials.Issued, *, javascript: bool = True,
        hand: Hand = "mouse", language: str = "en", width: int = 1280, height: int = 900,
    ) -> None:  # fmt: skip
        self.process, self.name, self.card, self.hand, self.javascript = process, name, card, hand, javascript
        self.touches = 0
        self.complaints: list[str] = []  # what the browser itself had to say
        context = browser.new_context(
            viewport={"width": width, "height": height}, java_script_enabled=javascript, locale=language.replace("_", "-"),
            timezone_id="Africa/Lusaka", base_url=f"http://127.0.0.1:{process.port}",
        )  # fmt: skip
        context.set_default_timeout(PATIENCE_MS)
        self.page: Page = context.new_page()
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self, path: str) -> None:
        """Types an address."""
        self.page.goto(path)

    def sign_in(self) -> None:
        """Name, password and the code that the page asks for."""
        self.open("/sign-in")
        self.write("#name", self.name)
        self.write("#password", PASSWORD)
        self.press('form[action="/sign-in"] button')
        number = int(self.page.get_attribute("form", "data-number") or 0)
        self.write("#code", dict(self.card.codes)[number])
        self.press('form[action="/sign-in/code"] button')
        self.touches = 0

    def press(self, selector: str) -> None:
        """Presses a button or follows a link."""
        self.touches += 1
        target = self.page.locator(selector).locator("visible=true").first
        if self.hand == "keyboard":
            self._go_to(selector)
        with self.page.expect_event("load"):  # every press leads to a page
            if self.hand == "mouse":
                target.click()
            else:
                self.page.keyboard.press("Enter")

    def choose(self, selector: str) -> None:
        """Marks one answer of a question."""
        self.touches += 1
        if self.hand == "mouse":
            self.page.locator(selector).first.check()
            return
        target = self.page.locator(selector).first
        self._go_to(selector, or_same_name=True)
        while not target.evaluate("e => e === document.activeElement"):
            self.page.keyboard.press("ArrowDown")
        if not target.is_checked():
            self.page.keyboard.press("Space")
        assert target.is_checked()

    def write(self, selector: str, text: str) -> None:
        """Types into a field."""
        self.touches += 1
        if self.hand == "mouse":
            self.page.locator(selector).first.fill(text)
            return
        self._go_to(selector)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text)

    def _go_to(self, selector: str, *, or_same_name: bool = False) -> None:
        target = self.page.locator(selector).locator("visible=true").first
        same = "|| (document.activeElement.name && document.activeElement.name === e.name)" if or_same_name else ""
        for _ in range(TABS_MAX):
            if target.evaluate(f"e => e === document.activeElement {same}"):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{selector} on {self.page.url} cannot be reached with the Tab key")

    def sees(self, selector: str) -> None:
        """Waits until something stands on the page: by itself with JavaScript, and by looking again without."""
        if self.javascript:
            self.page.wait_for_selector(selector, state="attached")
            return
        for _ in range(PATIENCE_MS // 200):
            if self.page.query_selector(selector):
                return
            self.page.wait_for_timeout(200)
            self.page.reload()
        raise AssertionError(f"{selector} never stood on {self.page.url}")

    def fits(self) -> None:
        """Nothing sticks out of the window sideways."""
        # Asked from outside, so it is answered where the page itself may run no script.
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{self.page.url} is {wide} px too wide"

    @property
    def path(self) -> str:
        """Where the window is."""
        return self.page.url.split("/", 3)[3].split("?")[0]

    def leave(self) -> None:
        """Closes the window."""
        self.page.context.close()
