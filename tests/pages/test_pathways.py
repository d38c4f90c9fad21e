"""What a programme's pathways say is so on pages and in requests: how soon, in what time it is seen, what is always offered, which
places take nobody just now, and which of two that are equally near stands first."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import centre
import pytest
from agencies import World, consent, network, open_case, refer
from schema import sqlite_at_head
from shift import SENDING, asked, at_work, officer

from shared.casework.referrals.pathways import seen_within
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import Role
from shared.programmes.care import Pathway
from shared.programmes.profile import Programme, load_programme

STATION = "ndola_central_vsu"
AGENCIES = ("police", "health", "social_welfare")
CLINIC, HOSPITAL = "health/ndola_clinic", "health/ndola_hospital"


def zambia(**more: Any) -> Programme:
    """The programme with other words on its way to health."""
    programme = load_programme("zm-vsu-ec")
    way = programme.pathways["desk_to_health"].model_dump(by_alias=True) | more
    return programme.model_copy(update={"pathways": {**programme.pathways, "desk_to_health": Pathway.model_validate(way)}})


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Any]:
    """Makes the demo's agencies with a programme's pathways; the hospital is a place of the one-stop centre's kind."""
    made: list[World] = []

    async def make(programme: Programme) -> World:
        content = network().model_dump(mode="json")
        content["agencies"]["health"]["facilities"]["ndola_hospital"]["kind"] = "one_stop_centre"
        urls = {one: await asyncio.to_thread(sqlite_at_head, tmp_path / f"{one}.db", one) for one in AGENCIES}
        made.append(await World.make(urls, programme, type(network()).model_validate(content)))
        return made[-1]

    yield make
    for world in made:
        await world.close()


def places_in_order(page: Any) -> list[str]:
    return [one for one in page.form(page.path).choices["place"] if one in {CLINIC, HOSPITAL}]


async def test_a_way_that_is_full_or_closed_now_is_named_and_stands_after_one_that_is_further_away(town: Any) -> None:
    world = await town(zambia(per_day=1, to=("health_facility",)))
    desk = await officer(world)
    page = await asked(desk)
    assert places_in_order(page) == [CLINIC, HOSPITAL]  # the nearest that is open
    assert "Full for today" not in page.words
    await desk.send(page.form(page.path), **SENDING)
    page = await asked(desk)
    assert places_in_order(page) == [HOSPITAL, CLINIC]
    assert "Full for today: as many as it can take in a day (1)" in page.words
    page = await desk.send(page.form(page.path), **SENDING)  # it is said, and nobody is refused
    assert page.path.startswith("/referrals/"), page.words
    world.clock.advance(timedelta(days=1))
    form = await asked(await officer(world, "next-day"))
    assert places_in_order(form) == [CLINIC, HOSPITAL]


async def test_a_place_is_full_for_every_desk_of_the_agency(world: World) -> None:
    edge = world["police"].edge
    edge.here = replace(edge.here, programme=zambia(per_day=1))
    one = await officer(world)
    page = await asked(one)
    await one.send(page.form(page.path), **SENDING)
    page = await asked(await officer(world, "officer-2", "masaiti_vsu"))
    assert "Full for today" in page.words


async def test_what_is_acute_waits_no_longer_than_that_whatever_a_way_says(town: Any) -> None:
    world = await town(zambia(when=None, acknowledge_h=24, packages=("acute_care", "psychosocial"), to=("health_facility",)))
    here = world["police"].here
    for urgency, services, hours in (
        ("acute", ["acute_care"], 1), ("urgent", ["acute_care"], 24), ("routine", ["psychosocial"], 24),
        ("routine", ["psychosocial", "legal_aid"], 24), ("urgent", ["legal_aid"], 24), ("routine", [], 72),
    ):  # fmt: skip
        sent = SimpleNamespace(issuer="police", from_facility=STATION, recipient="health", to_facility="ndola_clinic",
                               services=services, urgency=urgency)  # fmt: skip
        assert seen_within(here, sent) == timedelta(hours=hours), (urgency, services)
    slow = replace(here, programme=zambia(when=None, acknowledge_h=72, packages=("psychosocial",), to=("health_facility",)))
    both = SimpleNamespace(issuer="police", from_facility=STATION, recipient="health", to_facility="ndola_clinic",
                           services=["psychosocial", "injury_care"], urgency="urgent")  # fmt: skip
    assert seen_within(slow, both) == timedelta(hours=24)  # what no way speaks of keeps its own time


async def test_a_way_has_its_hours_and_its_places_their_turn(town: Any) -> None:
    world = await town(zambia(hours="03:00-03:01", to=("health_facility",)))
    page = await asked(await officer(world))
    assert places_in_order(page) == [HOSPITAL, CLINIC]
    assert "The programme does not send there at this hour; from 03:00 on it does." in page.words


@pytest.mark.parametrize(
    ("to", "first"), [(("one_stop_centre", "health_facility"), HOSPITAL), (("health_facility", "one_stop_centre"), CLINIC)]
)
async def test_between_equals_the_order_of_the_pathway_decides(town: Any, to: tuple[str, str], first: str) -> None:
    world = await town(zambia(to=to))
    for place in world["police"].here.network.agencies["health"].facilities.values():
        place.journeys.clear()  # nobody has entered how far they are
    assert places_in_order(await asked(await officer(world)))[0] == first


async def test_how_soon_and_in_what_time_it_is_seen_are_the_pathways(town: Any) -> None:
    world = await town(zambia(urgency="routine", packages=("examination_and_report",), when=None, acknowledge_h=2))
    desk = await world["police"].sign_in("desk", Role.OFFICER, "ndola_central_vsu")
    case, incident = await open_case(desk)
    await consent(desk, case, "health")
    sent = await refer(desk, case, incident, "health", services=["examination_and_report"], urgency=None)
    assert sent["urgency"] == "routine"
    await world.settle()
    async with world["health"].database.read() as tx:
        there = await tx.session.get_one(Referral, UUID(sent["id"]))
        assert seen_within(world["health"].here, there) == timedelta(hours=2)  # and not three days
        assert there.respond_by - there.issued_at == timedelta(hours=2)
    world.clock.advance(timedelta(hours=2, minutes=1))
    await world["police"].watcher.tick()
    assert "unacknowledged" in (await desk.get(f"/referrals/{sent['id']}"))["flags"]
    other, its = await open_case(desk)
    await consent(desk, other, "health")
    assert (await refer(desk, other, its, "health", urgency=None))["urgency"] == "acute"  # whatever a pathway says


async def test_what_is_always_offered_stands_on_the_case_until_it_is_asked_for_or_refused(town: Any) -> None:
    world = await town(zambia())
    desk = await at_work(world, "police", "officer-1", Role.OFFICER)
    page = await asked(desk)
    case = page.path.removesuffix("/refer")
    said = "This programme always offers it"
    assert said in (await desk.open(case)).words
    await desk.send(page.form(page.path), **SENDING)
    assert said not in (await desk.open(case)).words
    page = await desk.open("/cases/new")
    who: dict[str, Any] = {"hurt_now": "no", "age_band": "18-24", "sex": "female", "language": "bem", "came_with": "nobody"}
    page = await desk.send(page.form("/cases/new"), at_least=1, at_most=3, **who)
    other = page.path.removesuffix("/consent")
    assert said in (await desk.open(other)).words
    no: dict[str, Any] = {"answer_health": "no", "answer_social_welfare": "no"}
    await desk.send(page.form(page.path), how="spoken", language="bem", **no)
    assert said not in (await desk.open(other)).words  # nobody nags


async def test_a_request_that_must_come_before_the_end_of_a_stay_is_to_be_answered_by_then(tmp_path: Path) -> None:
    async with centre.centre_world(tmp_path) as world:
        desk = await centre.officer(world)
        case = await centre.came(desk)
        stay = await centre.stays(desk, case)
        await consent(desk, case, "social_welfare")
        world.clock.advance(timedelta(days=4, hours=20))
        body = {"case_id": case, "to_agency": "social_welfare", "to_facility": centre.MINISTRY, "services": ["psychosocial"],
                "urgency": "urgent"}  # fmt: skip
        sent = await desk.post("/referrals", body)
        async with world["police"].database.read() as tx:
            row = await tx.session.get_one(Referral, UUID(sent["id"]))
        assert row.respond_by == datetime.fromisoformat(stay["came_at"]) + timedelta(days=5)
