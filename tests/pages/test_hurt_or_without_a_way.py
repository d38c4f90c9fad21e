"""Somebody who is hurt goes to care first; somebody who has no way to get there stays in sight until one is found."""

from datetime import timedelta
from typing import Any

from agencies import World
from shift import SENDING, asked, let_time_pass, nurse, officer, sent
from sqlalchemy import select
from sqlmodel import col
from visitor import Page, Visitor

from shared.casework.referrals.pages import WALKED_KM_MINUTES
from shared.casework.referrals.tables import Referral

HURT: dict[str, Any] = {"hurt_now": "yes", "age_band": "18-24", "sex": "female", "language": "bem", "came_with": "nobody"}


async def hurt(desk: Visitor) -> Page:
    """Page 2 of somebody who is hurt."""
    page = await desk.open("/cases/new")
    page = await desk.send(page.form("/cases/new"), at_least=1, at_most=3, **HURT)
    assert page.path.endswith("/consent"), page.words
    return page


async def of_desk(world: World) -> Referral:
    async with world["police"].database.read() as tx:
        return (await tx.session.execute(select(Referral).where(col(Referral.recipient) == "health"))).scalars().one()


async def test_who_is_hurt_is_asked_about_care_and_of_the_others_afterwards(world: World) -> None:
    desk = await officer(world)
    page = await hurt(desk)
    case = page.path.removesuffix("/consent")
    assert "Hurt or bleeding now: care first" in page.words
    assert "social worker" not in page.words
    everything = await desk.open(f"{case}/consent?all=1")
    assert ("social worker" in everything.words, "care first" in everything.words) == (True, False)
    wrong = await desk.send(page.form(page.path), how="spoken", language="bem")
    assert (wrong.status, "care first" in wrong.words, "social worker" in wrong.words) == (422, True, False)
    page = await desk.send(wrong.form(page.path), how="spoken", language="bem", answer_health="yes", answer_back="yes")
    assert page.path.endswith("/refer"), page.words
    page = await desk.send(page.form(page.path), **SENDING)
    assert page.path.startswith("/referrals/"), page.words
    assert (await of_desk(world)).urgency == "acute"
    afterwards = await desk.open(f"{case}/consent")
    assert ("social worker" in afterwards.words, "care first" in afterwards.words) == (True, False)


async def test_a_child_who_is_hurt_is_told_in_the_same_page_what_the_law_demands(world: World) -> None:
    desk = await officer(world)
    page = await desk.open("/cases/new")
    child = {**HURT, "age_band": "10-14", "safe_adult": "no", "came_with": "nobody"}
    page = await desk.send(page.form("/cases/new"), at_least=1, at_most=3, **child)
    assert page.path.endswith("/consent"), page.words
    assert "By law for a child" in page.words


async def test_who_is_hurt_goes_to_a_closed_place_on_a_second_tap_alone(world: World) -> None:
    desk, clinic = await officer(world), await nurse(world)
    await clinic.send((await clinic.open("/directory")).form("/directory/ours"), is_open="false", staff=0, waiting=0,
                      has_female_staff="false")  # fmt: skip
    await world.settle()
    page = await hurt(desk)
    page = await desk.send(page.form(page.path), how="spoken", language="bem", answer_health="yes", answer_back="yes")
    page = await desk.send(page.form(page.path), **SENDING)
    assert page.status == 422
    assert "Somebody is hurt, and at" in page.words, page.words
    assert "nobody reads a screen now." in page.words, page.words
    page = await desk.send(page.form(page.path), **SENDING, anyway="yes")
    assert page.path.startswith("/referrals/"), page.words


async def test_who_has_no_way_to_get_there_is_red_on_the_desk_until_one_is_found(world: World) -> None:
    let_time_pass(world)
    desk, clinic = await officer(world), await nurse(world)
    page = await asked(desk)
    page = await desk.send(page.form(page.path), **{**SENDING, "mode": "none_available", "expected": ""})
    referral = page.path
    assert "Find a way to get there" in page.words
    await world.settle()
    inbox = await clinic.open("/work")
    assert "No way to get here had been found when this was sent." in inbox.words
    await clinic.send(inbox.form(f"{referral}/seen-come"))
    await world.settle()
    work = await desk.open("/work")
    assert ("Seen there, and nobody has set out" in work.words, "sent and seen" in work.words) == (True, False)
    assert "Seen there, and nobody has set out" in (await desk.open("/hand-over")).words
    found = await desk.open(f"{referral}/set-out")
    assert "None found" not in found.words
    page = await desk.send(found.form(f"{referral}/set-out"))
    assert (page.status, "Say how the way is made." in page.words) == (422, True)
    page = await desk.send(page.form(f"{referral}/set-out"), mode="car", escort="officer")
    assert ("Find a way to get there" in page.words, page.path) == (False, referral)
    await world.settle()
    work = await desk.open("/work")
    assert ("nobody has set out" in work.words, "1 sent and seen" in work.words) == (False, True)
    assert "Expected" in (await clinic.open(referral)).words
    async with world["health"].database.read() as tx:
        told = (await tx.session.execute(select(Referral))).scalars().one()
        assert told.set_out_at is not None
        assert told.expected_at is not None


async def test_what_needs_no_way_at_once_is_not_red(world: World) -> None:
    desk, clinic = await officer(world), await nurse(world)
    _case, referral = await sent(world, desk)
    await clinic.send((await clinic.open("/work")).form(f"{referral}/seen-come"))
    await world.settle()
    work = await desk.open("/work")
    assert ("nobody has set out" in work.words, "sent and seen" in work.words) == (False, True)


async def test_on_foot_takes_as_long_as_one_walks(world: World) -> None:
    desk = await officer(world)
    page = await asked(desk)
    assert f"on foot {WALKED_KM_MINUTES} minutes a kilometre" in page.words
    await desk.send(page.form(page.path), **{**SENDING, "expected": ""})
    referral = await of_desk(world)
    clinic = world["police"].here.network.facility("health", "ndola_clinic")
    assert clinic is not None
    journey = clinic.journeys["ndola_central_vsu"]
    assert referral.expected_at is not None
    assert referral.expected_at - referral.issued_at == timedelta(minutes=journey.km * WALKED_KM_MINUTES)
    assert journey.km * WALKED_KM_MINUTES > journey.minutes
