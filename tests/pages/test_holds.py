"""A court's order at the pages: a supervisor enters it, the case says so while it is in force, and lifting destroys what waited."""

from agencies import World
from canaries import Story, left, tell
from shift import at_work, nurse
from signing_in import PIN
from visitor import Page, Visitor

from shared.contracts.casework.codes import Role

ORDER = "Magistrate’s court Ndola, 12 of 2026, 4 January"
HELD = "A court has forbidden to destroy anything of this case"
NUMBER = "12 of 2026"
ENTER, CHANGE = "A court forbids to destroy it", "Lift it, or enter another order"


async def in_charge(world: World, facility: str = "ndola_clinic") -> Visitor:
    return await at_work(world, "health", f"in-charge-{facility}", Role.SUPERVISOR, facility)


async def told(world: World) -> tuple[Story, str]:
    """One who was sent to the clinic, and where the clinic's own case of her is."""
    story = await tell(world)
    await world.settle()
    reader = await world["health"].sign_in("reader")
    referral = await reader.get(f"/referrals/{story.sent['health']}")
    return story, f"/cases/{referral['case_id']}"


async def enter(visitor: Visitor, case: str, order: str) -> Page:
    page = await visitor.open(f"{case}/hold")
    return await visitor.send(page.form(f"{case}/hold"), order=order)


async def test_an_order_is_entered_shown_while_it_is_in_force_and_lifted(world: World) -> None:
    story, case = await told(world)
    clinician, supervisor = await nurse(world), await in_charge(world)
    assert ENTER not in (await clinician.open(case)).words
    assert ENTER in (await supervisor.open(case)).words
    await supervisor.open(f"{case}/hold")
    looks = (await supervisor.open(f"{case}/looked")).words
    assert "Opened the form for a court’s order; no order was there to be read" in looks
    assert "Read what a court has ordered" not in looks  # nothing was there to be read

    page = await enter(supervisor, case, " ")
    assert (page.status, "Write which court ordered it" in page.words) == (422, True)
    page = await enter(supervisor, case, ORDER)
    assert (page.path, page.status, CHANGE in page.words) == (case, 200, True)
    seen = await clinician.open(case)
    assert (f"{HELD} Since" in seen.words, ORDER in seen.words, CHANGE in seen.words) == (True, True, False)
    await enter(supervisor, case, "a second one")
    assert f"{case}/hold" not in seen.links

    await story.take_back("health")
    await world.settle()
    assert await story.erasure("health") == "held"
    page = await supervisor.open(f"{case}/hold")
    lifts = [link for link in page.links if link.endswith("/lift")]
    assert len(lifts) == 2
    page = await supervisor.open(lifts[0])
    assert "Another order stays in force" in page.words
    form = page.form(lifts[0])
    for order, pin, fault in (
        ("", PIN, "number of the order"),
        ("13 of 2026", PIN, "number of the order"),
        (NUMBER, "000000", "not your PIN"),
    ):
        page = await supervisor.send(form, order=order, pin=pin)
        assert (page.status, fault in page.words) == (422, True), (order, page.words)
    assert HELD + " Since" in (await clinician.open(case)).words  # one tap lifts nothing
    form = page.form(lifts[0])
    page = await supervisor.send(form, order=NUMBER, pin=PIN)
    assert (page.path, HELD + " Since" in page.words, ORDER in page.words) == (case, True, False)
    again = await supervisor.send(form, order=NUMBER, pin=PIN)  # a second tap
    assert (again.status, again.path) == (200, case)
    await world.settle()
    assert await story.erasure("health") == "held"
    page = await supervisor.open(f"{case}/hold")
    page = await supervisor.open(next(link for link in page.links if link.endswith("/lift")))
    assert "what Police, Victim Support Unit had told, taken back" in page.words
    assert "Nothing brings it back" in page.words
    page = await supervisor.send(page.form(page.path), order="a second one", pin=PIN)
    assert (HELD + " Since" in page.words, ENTER in page.words) == (False, True)
    await world.settle()
    assert await story.erasure("health") == "destroyed"
    assert await left(world["health"], story.canaries["health"]) == set()
    assert "Read what a court has ordered about it" in (await supervisor.open(f"{case}/looked")).words


async def test_only_a_supervisor_of_the_cases_own_place_finds_the_page(world: World) -> None:
    _story, case = await told(world)
    clinician, supervisor, stranger = await nurse(world), await in_charge(world), await in_charge(world, "ndola_hospital")
    form = (await supervisor.open(f"{case}/hold")).form(f"{case}/hold")
    assert (await clinician.open(f"{case}/hold")).status == 403
    assert (await stranger.open(f"{case}/hold")).status == 404
    form.fields["csrf"] = (await clinician.open(case)).form("/switch").fields["csrf"]
    refused = await clinician.send(form, order=ORDER)
    assert (refused.status, HELD in (await clinician.open(case)).words) == (403, False)


async def test_the_page_is_french_where_the_reader_is(world: World) -> None:
    case = f"/cases/{(await tell(world)).case}"
    visitor = await at_work(world, "police", "inspectrice", Role.SUPERVISOR)
    await visitor.send((await visitor.open("/me")).form("/me/language"), button=("language", "fr"))
    page = await visitor.open(f"{case}/hold")
    assert "Que dit l’ordonnance" in page.words
    page = await enter(visitor, case, ORDER)
    assert "Un tribunal a interdit de détruire" in page.words
