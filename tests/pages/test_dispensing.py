"""Pages of the locked box, without JavaScript: what a certified officer sees and a colleague does not; each leads on to care."""

from datetime import timedelta
from typing import Any

from agencies import World
from box import BATCH, EXPIRES, STATION, certify, inspector, left, stock
from shift import at_work, officer
from sqlalchemy import select
from sqlmodel import col
from visitor import Page, Visitor

from shared.casework.accounts.commands import make_token
from shared.casework.accounts.tables import CaseRead
from shared.contracts.casework.codes import Role


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
    await fill_box(world, 1)
    case = await a_case(visitor)
    assert f"{case}/dispense" in (await visitor.open(case)).links
    page = await visitor.open(f"{case}/dispense")
    assert f"{case}/refer" in page.links
    assert "May be given until" in page.words
    assert "care at the clinic comes next" in page.words
    form = page.form(f"{case}/dispense")
    assert form.fields["batch"] == [BATCH]
    page = await visitor.send(form)  # nothing was chosen
    assert (page.status, "Say what became of it." in page.words) == (422, True)
    page = await visitor.send(page.form(f"{case}/dispense"), outcome="given")
    assert page.path == f"{case}/refer"
    page = await visitor.open(f"{case}/dispense")
    assert "None here." in page.words  # the only one is given: care has it
    assert page.form(f"{case}/dispense").choices["outcome"] == ["declined", "none_here"]
    box = await visitor.open("/dispensing")
    assert "Given" in box.words
    assert f"{case}/dispense" in box.links
    async with world["police"].database.read() as tx:
        assert "doses" in (await tx.session.execute(select(col(CaseRead.what)))).scalars().all()


async def test_a_second_dose_is_an_alert_that_is_answered_with_a_reason(world: World) -> None:
    visitor = await certified(world)
    await fill_box(world)
    case = await a_case(visitor)
    await visitor.send((await visitor.open(f"{case}/dispense")).form(f"{case}/dispense"), outcome="given")
    page = await visitor.open(f"{case}/dispense")
    assert "It was given for this incident before" in page.words
    page = await visitor.send(page.form(f"{case}/dispense"), outcome="given")
    assert (page.status, "Say why it is given again" in page.words) == (422, True)
    page = await visitor.send(page.form(f"{case}/dispense"), again_reason="nurse_said_so")
    assert page.path == f"{case}/refer"


async def test_no_page_offers_anything_to_a_boy_or_to_a_colleague_without_a_certificate_and_one_says_that_it_ended(
    world: World,
) -> None:
    visitor = await certified(world)
    boy = await a_case(visitor, sex="male")
    assert f"{boy}/dispense" not in (await visitor.open(boy)).links
    page = await visitor.open(f"{boy}/dispense")
    assert ("boy or a man" in page.words, gives(page), f"{boy}/refer" in page.links) == (True, False, True)
    case = await a_case(visitor)
    colleague = await officer(world, "officer-2", STATION)
    assert f"{case}/dispense" not in (await colleague.open(case)).links
    for path in (f"{case}/dispense", "/dispensing", "/dispensing/entry", "/dispensing/count", "/dispensing/ask"):
        assert (await colleague.open(path)).status == 404, path
    assert (await colleague.open("/dispensing/report")).status == 200
    world.clock.advance(timedelta(days=3))
    lapsed = await certified(world, "officer-3", valid_until="2026-01-07")
    page = await lapsed.open(f"{case}/dispense")
    assert ("ended on 7 January 2026" in page.words, gives(page), f"{case}/refer" in page.links) == (True, False, True)
    assert (await lapsed.open("/dispensing")).status == 403


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
