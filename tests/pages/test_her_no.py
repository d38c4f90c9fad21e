"""A no counts like a yes: it is kept, it ends at both ends what was told before, and no later page passes it over."""

from typing import Any

import pytest
from agencies import Refused, World
from desk_pages import NO_TO_ALL, PAGE_2, at_the_desk, fill_page, to_consent, to_place, to_sent
from shift import at_work
from sqlalchemy import select
from visitor import OWN_PAGE, Page, Visitor

from shared.casework.consents.tables import Consent, Refusal
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import Role, ServicePackage
from shared.kit.ids import new_id


async def referrals(world: World, agency: str) -> list[Referral]:
    async with world[agency].database.read() as tx:
        return list((await tx.session.execute(select(Referral).order_by(Referral.id))).scalars())  # type: ignore[arg-type]


async def in_force(world: World) -> list[tuple[str, str]]:
    async with world["police"].database.read() as tx:
        rows = (await tx.session.execute(select(Consent).order_by(Consent.id))).scalars()  # type: ignore[arg-type]
        return [(c.recipient, c.basis) for c in rows if c.taken_back_at is None]


async def answered(desk: Visitor, page: Page, **answers: Any) -> str:
    """Her answers; returns the case's address."""
    page = await fill_page(desk, page, **{**PAGE_2, **answers})
    assert page.path.endswith("/refer"), page.words
    return page.path.removesuffix("/refer")


async def test_a_no_is_never_passed_over_by_vital_interest(world: World) -> None:
    desk = await at_the_desk(world)
    case = await answered(desk, await to_consent(desk), **NO_TO_ALL)
    page = await desk.open(f"{case}/cannot-answer")
    assert ("was answered already" in page.words, [f for f in page.forms if f.action.endswith("answer")]) == (True, [])
    once = (await desk.open(f"{case}/consent")).form(f"{case}/consent").fields
    given = {"csrf": once["csrf"][0], "once": once["once"][0]}
    answer = await desk.client.post(f"{case}/cannot-answer", data=given, headers=OWN_PAGE)
    assert answer.status_code == 409
    program = await world["police"].sign_in("program")
    vital = {"recipient": "health", "purpose": "care", "items": ["req"], "basis": "vital_interest", "how": "none_unconscious",
             "language": "bem"}  # fmt: skip
    with pytest.raises(Refused) as refused:
        await program.post(f"/cases/{case.split('/')[-1]}/consents", vital)
    assert refused.value.status == 409
    assert await in_force(world) == []
    page = await desk.open(case)
    assert "the answer was no" in page.words
    assert "Nobody was asked" not in page.words
    assert "The last answer was no" in (await desk.open(f"{case}/consent")).words


async def test_a_no_after_a_yes_takes_it_back_at_both_ends(world: World) -> None:
    desk = await at_the_desk(world)
    page = await to_place(desk, await to_consent(desk))
    case = page.path.removesuffix("/refer")
    await to_sent(desk, page)
    await world.settle()
    page = await desk.open(f"{case}/consent")
    assert "A no now takes it back at once." in page.words
    await answered(desk, page, **NO_TO_ALL)
    await world.settle()
    assert await in_force(world) == []
    for agency in ("police", "health", "social_welfare"):
        assert {r.state for r in await referrals(world, agency)} == {"cancelled"}, agency
    assert [r.said for a in ("health", "social_welfare") for r in await referrals(world, a)] == [None, None]
    page = await desk.open(f"{case}/refer")
    assert not [f for f in page.forms if "place" in f.choices]


async def test_a_yes_after_a_no_counts(world: World) -> None:
    desk = await at_the_desk(world)
    case = await answered(desk, await to_consent(desk), **NO_TO_ALL)
    page = await to_place(desk, await desk.open(f"{case}/consent"))
    await to_sent(desk, page)
    await world.settle()
    assert len(await referrals(world, "health")) == 1


async def test_a_childs_no_leaves_only_what_the_law_asks_for(world: World) -> None:
    desk = await at_the_desk(world)
    page = await to_consent(desk, age_band="10-14", safe_adult="here", with_0_9=1)
    page = await to_place(desk, page)
    case = page.path.removesuffix("/refer")
    await to_sent(desk, page)
    await world.settle()
    (before,) = await referrals(world, "social_welfare")
    assert before.said is not None
    assert "needs" in before.said
    await answered(desk, await desk.open(f"{case}/consent"), answer_social_welfare="no")
    await world.settle()
    former, anew = await referrals(world, "social_welfare")
    assert (former.id, former.state, former.said) == (before.id, "cancelled", None)
    assert (anew.is_open, anew.services) == (True, ["child_protection"])
    assert anew.said is not None
    assert (anew.said["basis"], "needs" in anew.said) == ("legal_basis", False)
    assert ("social_welfare", "legal_basis") in await in_force(world)


FAMILY_OFFICE = "social_welfare/ndola_family_office"


def open_a_family_office(world: World) -> None:
    """A place of the same agency that offers less than the district office."""
    for agency in world.agencies.values():
        places = agency.here.network.agencies["social_welfare"].facilities
        district = places["ndola_district_office"]
        places["ndola_family_office"] = district.model_copy(
            update={"name": "Ndola family office", "services": (ServicePackage.PSYCHOSOCIAL,)}
        )


async def a_child_sent_on(world: World, desk: Visitor) -> str:
    """A child's request, which the district office has sent on to the family office; the case's address."""
    page = await to_place(desk, await to_consent(desk, age_band="10-14", safe_adult="here"))
    case = page.path.removesuffix("/refer")
    await to_sent(desk, page)
    await world.settle()
    worker = await at_work(world, "social_welfare", "worker", Role.SOCIAL_WORKER)
    [received] = await referrals(world, "social_welfare")
    address = f"/referrals/{received.id}"
    await worker.send((await worker.open(f"{address}/send-on")).form(f"{address}/send-on"), next_place=FAMILY_OFFICE)
    await world.settle()
    return case


async def test_a_childs_no_is_kept_where_the_request_stands_at_a_place_without_child_protection(world: World) -> None:
    open_a_family_office(world)
    desk = await at_the_desk(world)
    case = await a_child_sent_on(world, desk)
    await answered(desk, await desk.open(f"{case}/consent"), answer_social_welfare="no")
    async with world["police"].database.read() as tx:
        assert [no.recipient for no in (await tx.session.execute(select(Refusal))).scalars()] == ["social_welfare"]
    [*_, former, anew] = [r for r in await referrals(world, "police") if r.recipient == "social_welfare"]
    assert (former.is_open, anew.is_open, anew.to_facility) == (False, True, "ndola_district_office")
    assert anew.services == ["child_protection"]


async def test_a_childs_no_is_kept_and_an_alarm_raised_where_no_place_offers_child_protection_any_more(world: World) -> None:
    desk = await at_the_desk(world)
    page = await to_place(desk, await to_consent(desk, age_band="10-14", safe_adult="here"))
    case = page.path.removesuffix("/refer")
    await to_sent(desk, page)
    places = world["police"].here.network.agencies["social_welfare"].facilities
    for id_, place in places.items():
        left = tuple(service for service in place.services if service is not ServicePackage.CHILD_PROTECTION)
        places[id_] = place.model_copy(update={"services": left})
    await answered(desk, await desk.open(f"{case}/consent"), answer_social_welfare="no")
    assert [r.is_open for r in await referrals(world, "police") if r.recipient == "social_welfare"] == [False]
    assert "no place of theirs offers it: call them" in (await desk.open("/alarms")).words


async def test_what_the_law_asks_for_is_asked_once_for_an_incident(world: World) -> None:
    desk = await at_the_desk(world)
    page = await to_place(desk, await to_consent(desk, age_band="10-14", safe_adult="here"))
    case = page.path.removesuffix("/refer")
    await to_sent(desk, page)
    [first] = [r for r in await referrals(world, "police") if r.recipient == "social_welfare"]
    twin = {**first.model_dump(), "id": new_id(), "issued_event_id": new_id()}  # as after its clocks ended: asked for again
    async with world["police"].database.write() as tx:
        tx.session.add(Referral(**twin))
    await answered(desk, await desk.open(f"{case}/consent"), answer_social_welfare="no")
    told = [r for r in await referrals(world, "police") if r.recipient == "social_welfare"]
    assert [r.is_open for r in told] == [False, False, True]
