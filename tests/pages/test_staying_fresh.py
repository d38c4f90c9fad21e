"""Pages that change by themselves: what happens while a page is made is told afterwards, never missed."""

import re
from collections.abc import Awaitable, Callable
from types import ModuleType
from uuid import UUID

import pytest
from agencies import World
from shift import nurse, officer, sent
from sqlalchemy import select
from visitor import Page

from shared.casework.alarms import pages as alarm_pages
from shared.casework.cases import pages as case_pages
from shared.casework.edge import Edge
from shared.casework.referrals import pages as referral_pages
from shared.casework.work import pages as work_pages
from shared.exchange.tables import Activity


def in_between(monkeypatch: pytest.MonkeyPatch, module: ModuleType, happens: Callable[[], Awaitable[None]]) -> None:
    """Lets something happen at the moment when a page looks how far the stream is."""
    look = module.last_seen

    async def last_seen(edge: Edge) -> int:
        await happens()
        return int(await look(edge))

    monkeypatch.setattr(module, "last_seen", last_seen)


def stream_of(page: Page) -> int:
    """Where the page's stream goes on."""
    found = re.search(r'data-live="/live\?after=(\d+)"', page.text)
    assert found, "the page does not change by itself"
    return int(found[1])


async def newest(world: World, kind: str, referral: str) -> int:
    """The number of the last line that an agency has about a referral."""
    async with world[kind].database.read() as tx:
        query = select(Activity).where(Activity.subject == UUID(referral.rpartition("/")[2]))  # type: ignore[arg-type]
        return max(row.feed_seq or 0 for row in (await tx.session.execute(query)).scalars())


@pytest.mark.parametrize("which", ["referral", "case"])
async def test_what_happens_while_a_page_of_the_desk_is_made_is_not_missed(
    world: World, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    desk = await officer(world)
    case, referral = await sent(world, desk)
    clinic = await world["health"].sign_in("program", facility="ndola_clinic")

    async def seen() -> None:
        await clinic.post(f"{referral}/accept")
        await world.settle()

    in_between(monkeypatch, referral_pages if which == "referral" else case_pages, seen)
    page = await desk.open(referral if which == "referral" else case)
    is_told = stream_of(page) < await newest(world, "police", referral)
    assert is_told or "Accepted" in page.words.split("Agreed to")[0].replace("Accepted Not known", "")


async def test_what_happens_while_the_clinic_lists_who_is_here_is_not_missed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, visitor = await officer(world), await nurse(world)
    _case, referral = await sent(world, desk)
    clinic = await world["health"].sign_in("program", facility="ndola_clinic")

    async def came() -> None:
        await clinic.post(f"{referral}/arrive")
        await world.settle()

    in_between(monkeypatch, work_pages, came)
    page = await visitor.open("/here-now")
    assert referral in page.links or stream_of(page) < await newest(world, "health", referral)


async def test_what_happens_while_the_alarms_are_listed_is_not_missed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from shift import at_work

    from shared.contracts.casework.codes import Role

    desk, chief = await officer(world), await at_work(world, "health", "chief", Role.SUPERVISOR)
    _case, referral = await sent(world, desk)
    clinic = await world["health"].sign_in("program", facility="ndola_clinic")

    async def cannot() -> None:
        await clinic.post(f"{referral}/decline", {"reason_code": "no_place"})  # acute, and no next place: an alarm
        await world.settle()

    in_between(monkeypatch, alarm_pages, cannot)
    page = await chief.open("/alarms")
    assert "No alarm is open" not in page.words or stream_of(page) < await newest(world, "health", referral)


async def test_the_timeline_changes_by_itself_and_its_older_pages_do_not(world: World) -> None:
    desk = await officer(world)
    case, _referral = await sent(world, desk)
    page = await desk.open(case)
    assert stream_of(page) > 0
    assert 'http-equiv="refresh"' not in page.text  # without JavaScript it would wipe the step that is being typed
    assert case in page.links  # "Look again"
    assert "data-live" not in (await desk.open(f"{case}?cursor=1")).text
