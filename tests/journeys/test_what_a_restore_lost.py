"""After a restore nobody can list what is lost; when it was written, and what is here of before, is said of each kind of fact."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from agencies import World, consent, open_case, refer
from keystores import with_keys
from schema import sqlite_at_head
from shift import at_work

from services.kinds import MODULES, parts_of
from shared.casework.here import Actor
from shared.casework.lines.losses import LISTED_FOR, HeldHere, Unknown
from shared.casework.lines.recovery import RecoveryView, recovery_of
from shared.casework.paper.commands import SheetKind, print_sheets, sheet_number
from shared.contracts.casework.codes import AgencyKind, Role
from shared.exchange.anchor import Anchor, check_anchor, reopen
from shared.exchange.incarnations import current_incarnation, open_incarnation
from shared.kit.ids import new_id

PEERS = ("health", "social_welfare")
AN_HOUR = timedelta(hours=1)


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[World]:
    agencies = ("police", "health", "social_welfare")
    world = await World.make({one: await asyncio.to_thread(sqlite_at_head, tmp_path / f"{one}.db", one) for one in agencies})
    yield world
    await world.close()


async def view_of(town: World) -> RecoveryView:
    police = town["police"]
    async with police.database.read() as tx:
        return await recovery_of(tx, police.parts.look.local_facts)


async def unknown_of(town: World) -> Unknown:
    found = (await view_of(town)).unknown
    assert found is not None
    return found


def held(unknown: Unknown, name: str) -> HeldHere:
    (one,) = [one for one in unknown.held if one.name == name]
    return one


async def a_days_work(town: World, name: str) -> str:
    """A case with a note, an incident, two answers, a request and a printed sheet; returns the case's number."""
    officer, now = await town["police"].sign_in(name), town.clock.now()
    case, incident = await open_case(officer)
    await officer.post(f"/cases/{case}/incidents", {"incident_type": "rape", "note": "She comes again on Friday."})
    await consent(officer, case, "health", "needs", "fb")
    await refer(officer, case, incident, "health")
    async with town["police"].database.write() as tx:
        by = Actor(new_id(), name, Role.OFFICER, None)
        await print_sheets(tx, town["police"].here, by, SheetKind.VISIT, "ndola_central_vsu", 2)
    await town.settle()
    assert town.clock.now() == now
    return str((await officer.get(f"/cases/{case}"))["number"])


async def backed_up_and_restored(town: World) -> tuple[str, str, list[datetime]]:
    """A day's work before the backup and one after it, an hour between all of these; the two cases, and the times."""
    times = [town.clock.now()]
    before = await a_days_work(town, "early")
    town.clock.advance(AN_HOUR)
    image = await town.back_up("police")
    times.append(town.clock.now())
    town.clock.advance(AN_HOUR)
    times.append(town.clock.now())
    after = await a_days_work(town, "late")
    town.clock.advance(AN_HOUR)
    times.append(town.clock.now())
    await town.restore("police", image)
    return before, after, times


async def test_what_was_written_after_the_backup_is_among_what_may_be_lost_and_what_was_written_before_is_not(town: World) -> None:
    _, _, (early, backup, late, restore) = await backed_up_and_restored(town)
    await town.settle_restored()
    unknown = await unknown_of(town)
    assert unknown.since is not None
    assert early <= unknown.since <= backup < late < unknown.until == restore
    for name, count in {
        "Cases": 1, "What happened was recorded": 2, "Asked, and the answer kept": 1, "Notes": 1, "Sheets that were printed": 2,
    }.items():  # fmt: skip
        assert held(unknown, name) == HeldHere(name=name, count=count, last_at=early), name
    assert held(unknown, "Doses") == HeldHere(name="Doses", count=0, last_at=None)
    assert unknown.last_sheets == [sheet_number(SheetKind.VISIT, 2)]


async def test_what_is_written_after_the_restore_is_not_taken_for_what_was_here(town: World) -> None:
    await backed_up_and_restored(town)
    await town.settle_restored()
    before = await unknown_of(town)
    await a_days_work(town, "again")
    assert await unknown_of(town) == before


async def test_cases_are_named_of_which_others_gave_back_only_a_part(town: World) -> None:
    before, _after, _times = await backed_up_and_restored(town)
    view = await view_of(town)
    assert view.unknown is not None
    assert (view.thin_cases, view.unknown.bare_consents, view.unknown.bare_requests) == ([], [], []), "nothing has come home yet"
    await town.settle_restored()
    view = await view_of(town)
    assert view.unknown is not None
    assert view.thin_cases == view.unknown.bare_consents == view.unknown.bare_requests
    assert len(view.thin_cases) == 1
    assert before not in view.thin_cases


async def test_it_is_said_at_a_terminal_and_on_the_page_of_lines(town: World) -> None:
    await backed_up_and_restored(town)
    await town.settle_restored()
    words = (await view_of(town)).words.splitlines()
    assert "Of what is told to nobody, nothing is known from 2026-01-05 08:00 UTC to 2026-01-05 11:00 UTC." in words
    assert "  Notes: 1, the last of 2026-01-05 08:00 UTC" in words
    (none,) = [line for line in words if line.startswith("  none of: ")]
    assert "; Doses; " in none
    assert "Notes" not in none
    page = await (await at_work(town, "police", "in-charge", Role.SUPERVISOR, "")).open("/lines")
    assert "Of what is told to nobody, nothing is known from" in page.words
    assert "Notes: 1, the last of" in page.words
    assert "Doses" in page.words.partition("None are here of:")[2]
    assert sheet_number(SheetKind.VISIT, 2) in page.words


async def test_a_copy_that_was_at_work_before_anybody_noticed_says_so(town: World) -> None:
    async with town["police"].database.write() as tx:
        await current_incarnation(tx)
        await open_incarnation(tx, town["police"].here.peers, "peer_holds_more")
    unknown = await unknown_of(town)
    assert unknown.since is None
    assert "When it was put back is not known." in unknown.words[0]


async def test_it_is_listed_for_a_month(town: World) -> None:
    await backed_up_and_restored(town)
    town.clock.advance(LISTED_FOR)
    assert (await view_of(town)).unknown is not None
    town.clock.advance(timedelta(seconds=1))
    assert (await view_of(town)).unknown is None


@pytest.mark.parametrize("kind", MODULES)
async def test_every_kind_of_agency_can_say_it(kind: AgencyKind, tmp_path: Path) -> None:
    database, look = with_keys(await asyncio.to_thread(sqlite_at_head, tmp_path / "one.db", kind), None), parts_of(kind).look
    async with database.write() as tx:
        await current_incarnation(tx)
        await open_incarnation(tx, ("peer",), "restored")
        unknown = (await recovery_of(tx, look.local_facts)).unknown
    await database.close()
    assert unknown is not None
    names = [one.name for one in unknown.held]
    assert len(set(names)) == len(names)
    assert {one.name for one in look.local_facts} <= set(names)
    assert unknown.until.tzinfo is UTC


async def test_a_number_that_stands_on_a_card_is_not_given_again_though_one_backup_is_put_back_twice(
    town: World, tmp_path: Path
) -> None:
    """What the second loss took is in no backup: that there was such a life, only the anchor knows."""
    anchor = Anchor(tmp_path / "anchor")
    given: list[str] = []

    async def cases(count: int) -> None:
        officer = await town["police"].sign_in(f"officer-{len(given)}")
        given.extend([(await officer.post("/cases"))["number"] for _ in range(count)])

    assert await check_anchor(town["police"].database, anchor, PEERS) is None
    await cases(3)
    image = await town.back_up("police")
    for _ in range(2):
        await cases(40)
        await town.put_back("police", image)
        async with town["police"].database.write() as tx:
            await reopen(tx, anchor, PEERS, "restored")
    await cases(40)
    assert len(set(given)) == len(given)
