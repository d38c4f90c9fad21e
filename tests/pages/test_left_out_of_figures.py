"""Whoever says no to being counted is in no figure, and the page says so before she answers."""

import pytest
from agencies import World
from desk_pages import at_the_desk, to_consent, to_place, to_sent
from sqlalchemy import select
from sqlmodel import col
from visitor import Visitor

from shared.casework.consents.tables import ConsentEvent
from shared.casework.figures.domain import period
from shared.casework.figures.views import counted

CUBES = ("reports", "referrals", "offers", "arrivals")


async def totals(world: World, agency: str) -> list[int]:
    async with world[agency].database.read() as tx:
        found = await counted(tx, world[agency].here, period("2026-01"))
    return [found[cube].values.get("", 0) for cube in CUBES]


async def told(world: World, desk: Visitor, **answers: str) -> str:
    page = await to_place(desk, await to_consent(desk), **answers)
    await to_sent(desk, page)
    await world.settle()
    return page.path.removesuffix("/refer")


async def test_who_says_no_is_in_no_figure_and_a_yes_later_counts(world: World) -> None:
    desk = await at_the_desk(world)
    await told(world, desk)
    before = await totals(world, "police")
    assert before == [1, 2, 2, 0]
    case = await told(world, desk, not_counted="yes")
    assert await totals(world, "police") == before
    assert "Says no: is left out of all figures" in (await desk.open(case)).words
    page = await desk.open(f"{case}/consent")
    assert "You may say no: then you are left out of what we count" in page.words
    form = page.form(f"{case}/consent")
    assert form.fields["not_counted"] == ["yes"]  # it stands until she says otherwise
    await to_place(desk, page, not_counted=[])
    assert (await totals(world, "police"))[:2] == [2, 4]
    async with world["police"].database.read() as tx:
        query = select(ConsentEvent).where(col(ConsentEvent.recipient) == "police").order_by(col(ConsentEvent.id))
        kept = [(event.version, event.kind, event.items, event.how) for event in (await tx.session.execute(query)).scalars()]
    assert kept == [(1, "refused", ["stat"], "spoken"), (2, "recorded", ["stat"], "spoken")]


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
async def test_who_comes_is_counted_where_she_came_until_she_says_no_there(world: World) -> None:
    desk, nurse = await at_the_desk(world), await world["health"].sign_in("nurse")
    await told(world, desk, not_counted="yes")
    (sent,) = (await nurse.get("/referrals"))["items"]
    await nurse.post(f"/referrals/{sent['id']}/arrive", {"feedback": True})
    await world.settle()
    assert (await totals(world, "health"))[3] == 1  # that she is not counted at the desk is not told
    assert await totals(world, "police") == [0, 0, 0, 0]
