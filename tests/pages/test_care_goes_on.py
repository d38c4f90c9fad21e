"""Consent taken back at the desk while she is in care: what was told is destroyed; that she is here is the clinic's own word."""

import re

import pytest
from agencies import World
from canaries import left
from shift import SENDING, asked, nurse, officer
from sqlalchemy import func, select
from sqlmodel import col
from visitor import Visitor

from shared.casework.figures.views import _arrivals
from shared.casework.referrals.tables import WalkIn
from shared.exchange.tables import OutboxRow

SAID = "had told is destroyed. Care here goes on. Do not tell them anything."
ONE_DATABASE = pytest.mark.parametrize("world", ["sqlite"], indirect=True)


async def in_care(world: World) -> tuple[Visitor, Visitor, str, str]:
    """An officer, a nurse, the address of the desk's case, and that of the request on which she came and got care."""
    at_desk, at_clinic = await officer(world), await nurse(world)
    page = await asked(at_desk)
    case = page.path.removesuffix("/refer")
    page = await at_desk.send(page.form(page.path), **{**SENDING, "carries": "code"})
    referral = page.path.removesuffix("/card")
    await world.settle()
    await at_clinic.send((await at_clinic.open(referral)).form(f"{referral}/arrive"))
    care = f"/care/{referral.rpartition('/')[2]}"
    page = await at_clinic.send((await at_clinic.open(care)).form(care), care_pep="given")
    assert page.path == referral, page.words
    return at_desk, at_clinic, case, referral


async def take_back(world: World, at_desk: Visitor, case: str) -> None:
    """The clinic's part of what she agreed to."""
    ways = [link for link in (await at_desk.open(case)).links if link.endswith("/take-back")]
    pages = [await at_desk.open(way) for way in ways]
    page = next(one for one in pages if "Ministry of Health" in one.words)
    await at_desk.send(page.form(page.path))
    await world.settle()


async def rows(world: World) -> list[WalkIn]:
    async with world["health"].database.read() as tx:
        return list((await tx.session.execute(select(WalkIn))).scalars())


async def test_she_stays_on_the_lists_from_the_clinics_own_words_and_nothing_of_the_desks_comes_back(world: World) -> None:
    at_desk, at_clinic, case, referral = await in_care(world)
    before = (await at_clinic.open("/here-now")).words
    assert "Bemba" in before
    await take_back(world, at_desk, case)
    (walk_in,) = await rows(world)
    care = f"/care/arrivals/{walk_in.id}"
    for address in ("/here-now", "/work", referral, care):
        page = await at_clinic.open(address)
        assert SAID in page.words, (address, page.words)
        assert "Bemba" not in page.words
        assert address == care or care in page.links
    assert "Nobody that we know of" not in (await at_clinic.open("/here-now")).words
    assert "None that we know of" not in (await at_clinic.open("/work")).words.partition("Expected")[2].partition("Here now")[2]
    page = await at_clinic.open(referral)  # she has not been cancelled
    assert "Request ended" in page.words
    assert "Cancelled" not in page.words
    shift = await at_clinic.open("/hand-over")
    assert "Here now, consent was taken back: care goes on" in shift.words
    assert care in shift.links
    assert "Nothing is open" not in shift.words
    assert await left(world["health"], {"'18-24'", '"18-24"'}) == set()


@ONE_DATABASE
async def test_her_number_leads_to_where_she_is(world: World) -> None:
    at_desk, at_clinic, case, referral = await in_care(world)
    [code] = re.findall(r'app-card__code">[^>]*>([0-9 ]+)<', (await at_desk.open(f"{referral}/card")).text)
    await take_back(world, at_desk, case)
    page = await at_clinic.send((await at_clinic.open("/arrivals/new")).form("/arrivals/new"), code=code)
    assert "also after consent was taken back" in page.words, page.words
    assert "/here-now" in page.links


@ONE_DATABASE
async def test_care_the_next_visit_and_the_end_go_on_and_the_desk_is_told_nothing(world: World) -> None:
    at_desk, at_clinic, case, referral = await in_care(world)
    await take_back(world, at_desk, case)
    (walk_in,) = await rows(world)
    page = await at_clinic.open(f"/care/{referral.rpartition('/')[2]}")  # the page that stood open leads to where she is now
    assert page.path == f"/care/arrivals/{walk_in.id}"
    form = page.form(page.path)
    assert form.fields["care_pep"] == ["given"]  # what was given before is on the same list
    told = await words_to_the_desk(world)
    page = await at_clinic.send(
        form, button=("then", "close"), care_tetanus="given", next_visit="2026-01-20", outcome_code="served"
    )
    assert page.path == "/here-now", page.words
    assert "Nobody that we know of" in page.words
    assert (await rows(world))[0].ended_at is not None
    await world.settle()
    assert await words_to_the_desk(world) == told
    async with world["health"].database.read() as tx:
        today = tx.clock.now()
        first, until = today.replace(hour=0, minute=0), today.replace(hour=23, minute=59)
        assert len([one async for one in _arrivals(tx, world["health"].here, first, until)]) == 1  # she came once


async def words_to_the_desk(world: World) -> int:
    async with world["health"].database.read() as tx:
        query = select(func.count()).select_from(OutboxRow).where(col(OutboxRow.recipient) == "police")
        return int((await tx.session.execute(query)).scalar_one())
