"""Sending, and sending elsewhere: whoever was told along with it is told once, and what is sent instead is asked back."""

from datetime import timedelta

from agencies import World
from desk_pages import to_consent, to_place
from shift import SENDING, asked, at_work, declined, let_time_pass, nurse, officer, sent
from sqlalchemy import select
from visitor import OWN_PAGE, Form, Visitor

from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import Role


def unticked(form: Form) -> Form:
    """Nothing is told along with it."""
    kept = {name: values for name, values in form.fields.items() if not name.startswith("also_")}
    return Form(form.action, form.method, kept, form.choices, form.buttons)


async def out_of(world: World) -> list[Referral]:
    async with world["police"].database.read() as tx:
        query = select(Referral).where(Referral.direction == "out").order_by(Referral.id)  # type: ignore[arg-type]
        return list((await tx.session.execute(query)).scalars())


async def test_nobody_needs_to_be_told_along_with_it(world: World) -> None:
    desk = await officer(world)
    page = await asked(desk)
    page = await desk.send(unticked(page.form(page.path)), **SENDING)
    assert page.path.startswith("/referrals/"), page.words
    assert [r.recipient for r in await out_of(world)] == ["health"]


async def test_after_a_decline_she_is_sent_elsewhere_and_the_office_is_not_told_twice(world: World) -> None:
    desk, clinic = await officer(world), await nurse(world)
    case, referral = await sent(world, desk)
    before = (await desk.open(f"{case}/refer")).form(f"{case}/refer")
    await declined(world, clinic, referral)
    page = await desk.open(referral)
    again = next(one for one in page.links if one.startswith(f"{case}/refer"))
    form = (await desk.open(again)).form(f"{case}/refer")
    assert not [name for name in form.fields if name.startswith("also")]
    page = await desk.send(form, **{**SENDING, "place": "health/ndola_hospital"})
    assert page.path.startswith("/referrals/"), page.words
    rows = await out_of(world)
    assert [r.recipient for r in rows] == ["health", "social_welfare", "health"]
    assert str(rows[2].in_place_of) == referral.rpartition("/")[2]
    former = await desk.open(referral)
    assert ("Sent to Ndola hospital instead." in former.words, page.path in former.links) == (True, True)
    assert "Another place is needed" not in former.words
    await world.settle()
    # A form that was open since before says nothing twice either.
    await declined(world, await nurse(world, "nurse-9", "ndola_hospital"), page.path)
    before.fields["also"], before.fields["also_social_welfare"] = ["social_welfare/ndola_district_office"], ["psychosocial"]
    page = await desk.send(before, **SENDING)
    assert page.path.startswith("/referrals/"), page.words
    assert len(await out_of(world)) == 4


async def test_an_office_that_no_form_offers_is_a_fault_of_the_form(world: World) -> None:
    desk = await officer(world)
    page = await asked(desk)
    form = page.form(page.path)
    form.fields["also"], form.fields["also_No/such"] = ["No/such/office"], ["psychosocial"]
    form.fields["also_No"] = ["psychosocial"]
    page = await desk.send(form, **SENDING)
    assert (page.status, page.form(page.path).fields["care"]) == (422, ["acute_care"])
    assert not await out_of(world)


async def suggested(world: World, desk: Visitor) -> tuple[str, str]:
    """The clinic has proposed the social worker's office: (case's address, referral's address)."""
    page = await asked(desk)
    case = page.path.removesuffix("/refer")
    page = await desk.send(unticked(page.form(page.path)), **SENDING)
    referral = page.path
    await world.settle()
    program = await world["health"].sign_in("program", facility="ndola_clinic")
    await program.post(f"{referral}/suggest", {"to_agency": "social_welfare", "to_facility": "ndola_district_office"})
    await world.settle()
    return case, referral


async def test_what_is_sent_where_they_propose_takes_the_place_of_what_was_sent_before(world: World) -> None:
    let_time_pass(world)
    desk = await officer(world)
    case, referral = await suggested(world, desk)
    page = await desk.open(referral)
    assert "They propose Ndola district office" in page.words
    again = next(one for one in page.links if one.startswith(f"{case}/refer"))
    page = await desk.open(again)
    assert "They propose this place" in page.words
    instead = {**SENDING, "care": "psychosocial", "place": "social_welfare/ndola_district_office"}
    page = await desk.send(page.form(f"{case}/refer"), **instead)
    assert page.path.startswith("/referrals/"), page.words
    rows = {str(r.id): r for r in await out_of(world)}
    former, new = rows[referral.rpartition("/")[2]], rows[page.path.rpartition("/")[2]]
    assert (new.in_place_of, former.standing["cancel_pending"]) == (former.id, "sent_elsewhere")
    await world.settle()
    assert {str(r.id): r.state for r in await out_of(world)}[str(former.id)] == "cancelled"


async def test_the_page_offers_to_ask_back_however_it_was_reached_and_she_may_have_both(world: World) -> None:
    desk = await officer(world)
    case, referral = await suggested(world, desk)
    form = (await desk.open(f"{case}/refer")).form(f"{case}/refer")  # as from the page that asks her
    assert form.fields["instead"] == [referral.rpartition("/")[2]]
    del form.fields["instead"]
    both = {**SENDING, "care": "psychosocial", "place": "social_welfare/ndola_district_office"}
    page = await desk.send(form, **both)
    assert page.path.startswith("/referrals/"), page.words
    assert [r.standing.get("cancel_pending") for r in await out_of(world)] == [None, None]


async def test_another_cases_referral_is_not_asked_back(world: World) -> None:
    desk = await officer(world)
    _case, referral = await sent(world, desk)
    page = await asked(desk)
    page = await desk.open(f"{page.path}?instead={referral.rpartition('/')[2]}")
    assert page.status == 404


async def test_what_another_desk_kept_to_send_in_place_of_its_own_request_hides_page_3_from_nobody(world: World) -> None:
    await sent(world, await officer(world))
    clinic, hospital = await nurse(world), await nurse(world, "nurse-9", "ndola_hospital")
    async with world["health"].database.read() as tx:
        came = (await tx.session.execute(select(Referral))).scalars().one()
    case = f"/cases/{came.case_id}"
    answers = {"answer_police": "no", "answer_social_welfare": "yes", "answer_back": "yes", "how": "spoken", "language": "bem"}
    page = await clinic.send((await clinic.open(f"{case}/consent")).form(f"{case}/consent"), None, **answers)
    office = {"care": "psychosocial", "place": "social_welfare/ndola_district_office", "mode": "car", "carries": "nothing"}
    page = await clinic.send(page.form(f"{case}/refer"), None, escort="alone", **office)
    own = page.path
    await world.settle()
    await declined(world, await at_work(world, "social_welfare", "worker-1", Role.SOCIAL_WORKER), own)
    page = await clinic.open(f"{case}/refer?instead={own.rpartition('/')[2]}")
    await clinic.send(page.form(f"{case}/refer"), button=("think", "yes"))
    form = (await clinic.open(f"/referrals/{came.id}/send-on")).form(f"/referrals/{came.id}/send-on")
    await clinic.send(form, next_place="health/ndola_hospital")
    page = await hospital.open(f"{case}/refer")
    assert (page.status, "instead" in page.form(f"{case}/refer").fields) == (200, False)
    assert (await hospital.open(f"{case}/refer?instead={own.rpartition('/')[2]}")).status == 404  # what an address names


async def test_another_place_is_chosen_with_what_is_known_of_the_first(world: World) -> None:
    desk, clinic = await officer(world), await nurse(world)
    page = await asked(desk)
    assert "New case, page 3 of 3" in page.words
    assert "4 km, about 15 minutes, there at 10:15" in page.words
    assert "Not offered there: acute care" in page.words  # at the clinic of the village
    case = page.path.removesuffix("/refer")
    page = await desk.send(page.form(page.path), **SENDING)
    await world.settle()
    await declined(world, clinic, page.path)
    referral = await desk.open(page.path)
    page = await desk.open(next(one for one in referral.links if one.startswith(f"{case}/refer")))
    form = page.form(f"{case}/refer")
    assert "New case" not in page.words
    assert form.fields["care"] == ["acute_care"]
    assert form.choices["place"][0] == "health/ndola_hospital"
    assert form.choices["place"][-1] == "health/ndola_clinic"
    assert "This place could not take it." in page.words
    page = await desk.send(form, **{**SENDING, "place": "health/ndola_hospital", "expected": ""})
    assert page.path.startswith("/referrals/"), page.words
    last = (await out_of(world))[-1]
    assert last.expected_at == world.clock.now() + timedelta(minutes=35)


async def test_both_ends_say_alike_that_the_same_agency_needs_no_new_consent(world: World) -> None:
    desk, clinic = await officer(world), await nurse(world)
    _case, referral = await sent(world, desk)
    page = await clinic.open(f"{referral}/decline")
    assert "Same agency: no new consent needed. The desk tells of it, and sends again." in page.words
    page = await clinic.send(page.form(f"{referral}/decline"), reason_code="no_place", next_place="health/ndola_hospital")
    assert "Proposed to the desk from here: Ndola hospital." in page.words
    await world.settle()
    page = await desk.open(referral)
    assert "They propose Ndola hospital" in page.words
    assert ("Same agency: no new consent is needed." in page.words, "Ask first" in page.words) == (True, False)


async def test_a_place_of_another_agency_is_asked_for_first(world: World) -> None:
    desk, clinic = await officer(world), await world["health"].sign_in("colleague")
    _case, referral = await sent(world, desk)
    await clinic.post(f"{referral}/suggest", {"to_agency": "social_welfare", "to_facility": "ndola_district_office"})
    await world.settle()
    page = await desk.open(referral)
    assert "They propose Ndola district office" in page.words
    assert ("Same agency" in page.words, "Ask first: the choice is not theirs." in page.words) == (False, True)


async def test_a_closed_door_says_on_which_day_it_opens_and_one_that_nobody_expected_to_be_closed_says_call(world: World) -> None:
    world.clock.advance(timedelta(days=5))  # to a Saturday
    desk, clinic = await officer(world), await nurse(world)
    assert "Closed until Monday 08:00" in (await desk.open("/directory")).words  # the ministry's office
    page = await asked(desk)
    assert "nobody will see it before" not in page.words
    await clinic.send((await clinic.open("/directory")).form("/directory/ours"), is_open="false", staff=0, waiting=0,
                      has_female_staff="false")  # fmt: skip
    assert "Closed now" in (await clinic.open("/directory")).words
    await world.settle()
    page = await desk.open(page.path)
    assert "Closed now" in page.words
    assert "They have said that they are closed: call before you send." in page.words


async def test_where_one_window_has_passed_the_next_is_said_before_a_place_is_chosen(world: World) -> None:
    desk = await officer(world)
    form = (await desk.open("/cases/new")).form("/cases/new")
    for most, said in (("10", "in the next 62 hours"), ("90", "in the next 30 hours"), ("8000", "Care is still given.")):
        clock = await desk.client.post("/cases/clock", data={"csrf": form.fields["csrf"][0], "at_most": most}, headers=OWN_PAGE)
        assert said in clock.text
    page = await to_place(desk, await to_consent(desk, at_least=80, at_most=90))
    assert "30 hours left in which care works best" in page.words
