"""Pages of the locked box, without JavaScript: what a certified officer sees and a colleague does not; each leads on to care."""

import asyncio
from pathlib import Path
from typing import Any

from agencies import World
from box import BATCH, EC, EXPIRES, STATION, certify, inspector, left, stock
from schema import sqlite_at_head
from shift import at_work, officer
from visitor import Page, Visitor

from shared.casework.accounts.commands import make_token
from shared.contracts.casework.codes import Role
from shared.programmes.profile import load_programme

PEP = "pep_starter"
KINDS = ("police", "health", "social_welfare")


async def certified(world: World, name: str = "officer-1", **more: Any) -> Visitor:
    """An officer of the station before her pages."""
    visitor = await officer(world, name, STATION)
    await certify(world, await inspector(world, f"inspector-of-{name}"), name, **more)
    return visitor


async def fill_box(world: World, quantity: int = 10, name: str = "officer-1") -> None:
    async with world["police"].database.write() as tx:
        token = await make_token(tx, name)
    desk = await world["police"].sign_in(f"api-{name}-{quantity}", Role.OFFICER, STATION)
    desk.token = token
    await stock(desk, quantity)
    assert await left(desk) >= quantity


async def a_case(visitor: Visitor, **who: Any) -> str:
    """The address of a case whose woman came 20 hours after."""
    form = (await visitor.open("/cases/new")).form("/cases/new")
    answers: dict[str, Any] = {
        "hurt_now": "no",
        "age_band": "18-24",
        "sex": "female",
        "language": "bem",
        "came_with": "nobody",
        **who,
    }
    page = await visitor.send(form, at_least=18, at_most=20, **answers)
    return page.path.removesuffix("/consent")


def figures(count: int) -> dict[str, Any]:
    return {f"emergency_contraception/{BATCH}": count}


def gives(page: Page) -> bool:
    return any(form.action == page.path and "outcome" in form.choices for form in page.forms)


async def test_a_dose_is_given_on_one_page_which_leads_on_to_care_and_the_look_is_kept(world: World) -> None:
    visitor = await certified(world)
    desk = await world["police"].sign_in("api", Role.OFFICER, STATION)
    async with world["police"].database.write() as tx:
        desk.token = await make_token(tx, "officer-1")
    await stock(desk, 1)
    await stock(desk, 1, kind="destroyed")
    page = await visitor.open(f"/dispensing/count?facility={STATION}")
    assert "By the book nothing lies there." in page.words
    page = await visitor.send(page.form("/dispensing/count"))
    assert page.path.startswith("/dispensing"), page.words
    colleague = await officer(world, "officer-2", STATION)
    (address,) = [link for link in (await colleague.open("/work")).links if link.startswith("/dispensing/counts/")]
    page = await colleague.send((await colleague.open(address)).form(address))
    assert page.path == "/work"
    assert "a count by two is due" not in (await visitor.open("/work")).words


TWO_PRODUCTS = """
id: xy-two-products
name: A programme that gives two products
extends: zm-vsu-ec
rules:
  pep_only_certified: {rule: certificate_required, act: dispense_pep_starter, certificate: ec_provider, source: D}
  pep_in_time: {rule: within_window, act: dispense_pep_starter, window: pep, source: D}
"""


async def test_where_a_programme_gives_two_products_one_form_asks_which(tmp_path: Path) -> None:
    file = tmp_path / "xy-two-products.yaml"
    file.write_text(TWO_PRODUCTS)
    urls = {kind: await asyncio.to_thread(sqlite_at_head, tmp_path / f"{kind}.db", kind) for kind in KINDS}
    world = await World.make(urls, load_programme(str(file)))
    visitor = await certified(world)
    await fill_box(world, 2)
    desk = await world["police"].sign_in("api-pep", Role.OFFICER, STATION)
    async with world["police"].database.write() as tx:
        desk.token = await make_token(tx, "officer-1")
    await stock(desk, 3, "PEP-24-9", product=PEP)
    case = await a_case(visitor)
    page = await visitor.open(f"{case}/dispense")
    assert "72 hours, version 1; intersexions.co.za" in page.words
    assert "120 hours, version 1; " in page.words
    (form,) = [one for one in page.forms if one.action == page.path]
    assert form.choices["product"] == [EC, PEP]
    page = await visitor.send(form, outcome="given")
    assert (page.status, "Choose the product." in page.words) == (422, True)
    page = await visitor.send(page.form(page.path), product=PEP, outcome="given", batch=BATCH)  # of the other product
    assert page.status == 422, page.words
    page = await visitor.send(page.form(page.path), product=PEP, outcome="given", batch="")
    assert page.path == f"{case}/refer", page.words
    there = {lot["product"]: lot["quantity"] for lot in (await desk.get("/dispensing/box"))["lots"]}
    assert there == {EC: 2, PEP: 2}
    await world.close()


async def test_the_box_is_counted_by_two_of_whom_the_second_may_be_anybody_and_sees_no_number(world: World) -> None:
    visitor = await certified(world)
    await fill_box(world, 7)
    work = await visitor.open("/work")
    assert "a count by two is due" in work.words
    form = (await visitor.open(f"/dispensing/count?facility={STATION}")).form("/dispensing/count")
    page = await visitor.send(form)
    assert page.status == 422
    await visitor.send(page.form("/dispensing/count"), **figures(6))
    colleague = await officer(world, "officer-2", STATION)
    work = await colleague.open("/work")
    assert "a second time" in work.words
    (address,) = [link for link in work.links if link.startswith("/dispensing/counts/")]
    page = await colleague.open(address)
    assert not {"6", "7"} & set(page.words.split())
    page = await colleague.send(page.form(address), **figures(6))
    assert page.path == "/work"
    supervisor = await at_work(world, "police", "chief", Role.SUPERVISOR, STATION)
    assert "A locked box does not fit its book" in (await supervisor.open("/alarms")).words
    assert "It did not fit its book." in (await visitor.open("/dispensing")).words


async def test_two_counts_that_are_not_alike_both_fall(world: World) -> None:
    visitor, colleague = await certified(world), await officer(world, "officer-2", STATION)
    await fill_box(world, 7)
    await visitor.send((await visitor.open("/dispensing/count")).form("/dispensing/count"), **figures(7))
    (address,) = [link for link in (await colleague.open("/work")).links if link.startswith("/dispensing/counts/")]
    page = await colleague.send((await colleague.open(address)).form(address), **figures(6))
    assert page.path == "/dispensing/not-alike"
    assert "Never counted by two yet." in (await visitor.open("/dispensing")).words


async def test_supplies_go_round_by_pages(world: World) -> None:
    visitor = await certified(world)
    nurse = await at_work(world, "health", "nurse-1", Role.CLINICIAN, "ndola_clinic")
    line: dict[str, Any] = {"kind": "received", "batch": BATCH.lower(), "expires_on": EXPIRES, "quantity": 30}
    page = await nurse.send((await nurse.open("/supplies")).form("/supplies"), **line)
    assert page.path == "/supplies?facility=ndola_clinic"
    page = await visitor.send((await visitor.open("/dispensing/ask")).form("/dispensing/ask"), quantity=10, reason="first_stock")
    assert "Asked" in page.words
    await world.settle()
    work = await nurse.open("/work")
    (address,) = [link for link in work.links if link.startswith("/supplies/requests/")]
    form = (await nurse.open(address)).form(address)
    assert form.fields["batch_0"] == [BATCH]
    page = await nurse.send(form)  # neither how many nor why none
    assert page.status == 422
    page = await nurse.send(page.form(address), quantity_0=10)
    assert "Sent, to be counted there" in page.words
    await world.settle()
    (address,) = [link for link in (await visitor.open("/work")).links if link.startswith("/dispensing/requests/")]
    page = await visitor.send((await visitor.open(address)).form(address), batch_0=BATCH, expires_0=EXPIRES, quantity_0=10)
    assert "Counted there" in page.words
    await world.settle()
    assert "Counted there" in (await nurse.open("/supplies")).words


async def test_a_supervisor_enters_certificates_reads_figures_and_never_the_register(world: World) -> None:
    await officer(world, "officer-1", STATION)
    supervisor = await at_work(world, "police", "chief", Role.SUPERVISOR, STATION)
    page = await supervisor.open("/certificates")
    assert "What the programme says is an assumption, no published figure." in page.words
    account = page.form("/certificates").choices["account_id"][0]
    page = await supervisor.send(page.form("/certificates"), account_id=account, certificate="ec_provider", trained_on="2025-12-01")
    assert "trained, not certified" in page.words
    when: dict[str, Any] = {"trained_on": "2025-12-01", "certified_by": "health"}
    page = await supervisor.send(page.form("/certificates"), certified_on="2025-11-01", **when)
    assert page.status == 422
    when |= {"account_id": account, "certificate": "ec_provider", "certified_on": "2025-12-02"}
    page = await supervisor.send(page.form("/certificates"), **when)
    assert "valid" in page.words
    assert "not counted" in page.words  # of the figures, also where everything is nought
    (end, *_) = [form for form in page.forms if form.action.endswith("/end")]
    assert "ended" in (await supervisor.send(end)).words
    assert (await supervisor.open("/dispensing")).status == 404


async def test_a_clinics_supervisor_sees_sums_of_stations_and_keeps_visits(world: World) -> None:
    matron = await at_work(world, "health", "matron", Role.SUPERVISOR, "ndola_clinic")
    nurse = await at_work(world, "health", "nurse-1", Role.CLINICIAN, "ndola_clinic")
    assert (await nurse.open("/supplies/stations")).status == 404
    page = await matron.open("/supplies/stations")
    form = page.form("/supplies/stations")
    points = [name for name, offered in form.choices.items() if "not_seen" in offered]
    page = await matron.send(form)
    assert page.status == 422
    answers: dict[str, Any] = dict.fromkeys(points, "right") | {"box_locked": "wrong"}
    page = await matron.send(page.form("/supplies/stations"), batch_0=BATCH, expires_0=EXPIRES, quantity_0=3, **answers)
    assert page.path.startswith("/supplies/stations?")
    assert "Is the box locked?" in page.words
    assert "Not right" in page.words
