"""Accounts with their cards, and signing in as their owners do: at a cost that keeps no secret, where a test asks for no other."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from agencies import TestAgency
from argon2.profiles import CHEAPEST
from starlette.responses import Response
from visitor import Form, Page, Visitor

from shared.casework.accounts import credentials
from shared.casework.accounts.commands import add_account, find_account
from shared.casework.accounts.credentials import Cost, Issued
from shared.casework.accounts.sessions import device_id, new_browser, open_session
from shared.casework.here import Actor
from shared.casework.pages.visits import set_browser, set_session
from shared.contracts.casework.codes import Role

PASSWORD = "kettle orbit mango fence"
PIN = "271828"
CHEAP = Cost(CHEAPEST, code_n=2)


@contextmanager
def at_cost(cost: Cost) -> Iterator[None]:
    """Secrets cost this meanwhile; `FULL_COST` is what the agencies' own processes take."""
    before, credentials.cost = credentials.cost, cost
    try:
        yield
    finally:
        credentials.cost = before


async def new_account(agency: TestAgency, name: str = "nurse-1", role: Role = Role.CLINICIAN) -> Issued:
    first = await credentials.one_time()
    async with agency.database.write() as tx:
        account = await add_account(tx, agency.here, name, role, next(iter(agency.here.entry.facilities)))
        return await credentials.issue(tx, account, first)


async def settled_account(agency: TestAgency, name: str = "nurse-1", role: Role = Role.CLINICIAN) -> Issued:
    """An account whose owner has chosen her own password and PIN."""
    issued = await new_account(agency, name, role)
    async with agency.database.read() as tx:
        account = await find_account(tx, name)
    await credentials.set_own_secrets(agency.database, Actor(account.id, name, role, account.facility), PASSWORD, PIN)
    return issued


async def sign_in(visitor: Visitor, issued: Issued, name: str = "nurse-1", password: str = PASSWORD, onward: str = "/") -> Page:
    page = await visitor.open(f"/sign-in?next={onward}")
    page = await visitor.send(page.form("/sign-in"), name=name, password=password)
    assert page.path.startswith("/sign-in/code"), page.words
    return await visitor.send(page.form("/sign-in/code"), code=code_on(page, issued))


async def come_in(visitor: Visitor, agency: TestAgency, name: str) -> None:
    """The session of somebody whose password and code were right, for tests of what she does then: typing both is a third of a
    small one."""
    browser, signed_in = new_browser(), Response()
    async with agency.database.write() as tx:
        account, language = await find_account(tx, name), visitor.client.headers["Accept-Language"]
        token = await open_session(tx, account, device_id(browser), needs_code=False, language=language)
    set_session(signed_in, agency.edge, token)
    set_browser(signed_in, agency.edge, browser)
    cookies = [("set-cookie", value.decode()) for key, value in signed_in.raw_headers if key == b"set-cookie"]
    visitor.client.cookies.extract_cookies(
        httpx.Response(200, headers=cookies, request=httpx.Request("GET", visitor.client.base_url))
    )


def code_on(page: Page, issued: Issued) -> str:
    """What the owner of a card reads at the number that the page asks for."""
    number = int(page.words.split("Code number ")[1].split()[0])
    return dict(issued.codes)[number]


def hide_of(form: Form) -> Form:
    """The same form, sent by its Hide button."""
    assert any(action == "/hide" for _, _, action in form.buttons)
    return Form("/hide", "post", form.fields, form.choices, form.buttons)
