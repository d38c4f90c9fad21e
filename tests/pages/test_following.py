"""What a worker follows: a case, a place or a service; it stands on her list, and stops when she says so."""

from datetime import timedelta

from agencies import World, consent, open_case
from signing_in import settled_account, sign_in
from sqlalchemy import select
from visitor import OWN_PAGE, Visitor

from shared.casework.accounts.commands import find_account
from shared.casework.cases.tables import Case
from shared.casework.following.tables import FollowedThing
from shared.contracts.casework.codes import Role

OFFICE = "ndola_district_office"


async def worker(world: World) -> Visitor:
    visitor = Visitor(world["social_welfare"].app)
    await sign_in(visitor, await settled_account(world["social_welfare"], "worker", Role.SOCIAL_WORKER), "worker")
    return visitor


async def a_request_to_the_office(world: World, service: str = "psychosocial") -> None:
    desk = await world["police"].sign_in(f"desk-{service}")
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "social_welfare", "needs")
    body = {"case_id": case_id, "incident_id": incident_id, "to_agency": "social_welfare", "to_facility": OFFICE,
            "services": [service], "urgency": "urgent"}  # fmt: skip
    world.clock.advance(timedelta(minutes=1))
    await desk.post("/referrals", body)
    await world.settle()


async def test_a_service_that_is_followed_brings_its_cases_to_the_list_until_it_is_not(world: World) -> None:
    visitor = await worker(world)
    await a_request_to_the_office(world)
    assert "Nothing in the cases that you follow." in (await visitor.open("/work")).words
    page = await visitor.open("/following")
    assert page.path in (await visitor.open("/work")).links  # one of the worker's own ways
    assert "Nothing yet" in page.words
    form = next(f for f in page.forms if "service" in f.choices)
    page = await visitor.send(form, service="psychosocial")
    assert (page.path, "Someone to talk to" in page.words) == ("/following", True)
    assert "psychosocial" not in next(f for f in page.forms if "service" in f.choices).choices["service"]
    assert "Nothing in the cases that you follow." not in (await visitor.open("/work")).words
    end = next(f for f in page.forms if f.action.endswith("/end"))
    assert "Nothing yet" in (await visitor.send(end)).words
    assert "Nothing in the cases that you follow." in (await visitor.open("/work")).words


async def test_a_place_and_a_case_are_followed_on_the_same_page(world: World) -> None:
    visitor = await worker(world)
    await a_request_to_the_office(world)
    page = await visitor.open("/following")
    form = next(f for f in page.forms if "facility" in f.choices)
    assert form.choices["facility"] == [OFFICE]  # not the places of others
    for _ in range(2):
        page = await visitor.send(form, facility=OFFICE)  # twice is once
    case = next(link for link in (await visitor.open("/cases")).links if link.startswith("/cases/0"))
    await visitor.send((await visitor.open(case)).form(f"{case}/follow"))
    page = await visitor.open("/following")
    assert case in page.links
    assert len([f for f in page.forms if f.action.endswith("/end")]) == 2
    async with world["social_welfare"].database.write() as tx:  # she moves to another office
        (await find_account(tx, "worker")).facility = "elsewhere"
    page = await visitor.open("/following")
    assert "A case that is not at your desk any more" in page.words
    async with world["social_welfare"].database.read() as tx:
        number = (await tx.session.execute(select(Case))).scalars().one().number
    assert number not in page.words


async def test_what_is_wrong_is_said_and_what_is_out_of_reach_is_not_followed(world: World) -> None:
    visitor = await worker(world)
    page = await visitor.open("/following")
    csrf = page.form("/switch").fields["csrf"]
    for data, said in (({}, "Choose a place or a service."), ({"service": "magic"}, "Choose the service."),
                       ({"facility": "masaiti_district_office"}, "no facility"),
                       ({"facility": OFFICE, "service": "shelter"}, "Choose a place or a service.")):  # fmt: skip
        answer = await visitor.client.post("/following", data={"csrf": csrf, **data}, headers=OWN_PAGE)
        assert answer.status_code == 422, data
        assert said in answer.text
    async with world["social_welfare"].database.read() as tx:
        assert (await tx.session.execute(select(FollowedThing))).first() is None


async def test_what_one_tap_on_a_case_did_is_said_and_pressure_is_not_written_down_by_one(world: World) -> None:
    visitor = await worker(world)
    await a_request_to_the_office(world)
    async with world["social_welfare"].database.read() as tx:
        case = f"/cases/{(await tx.session.execute(select(Case.id))).scalar_one()}"  # type: ignore[call-overload]
    for act, said in (("follow", "You follow this case now."), ("unfollow", "You do not follow this case any more.")):
        page = await visitor.send((await visitor.open(case)).form(f"{case}/{act}"))
        assert said in page.words
    page = await visitor.open(case)
    assert f"{case}/pressure" not in {form.action for form in page.forms}
    page = await visitor.open(next(link for link in page.links if link.endswith("/pressure")))
    assert "No other agency is told, and no alarm goes out." in page.words
    assert (await visitor.open(case)).words.count("Pressure to settle") == 1  # among the steps to choose from
    page = await visitor.send(page.form(f"{case}/pressure"))
    assert "Pressure to settle is written down." in page.words
    assert page.words.count("Pressure to settle") == 3  # and on the timeline
