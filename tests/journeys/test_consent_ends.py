"""At the end of a consent what was received under it goes, once nothing under it is open; no care and no request ends with it."""

from datetime import timedelta
from typing import Any

import pytest
from agencies import World
from canaries import Story, left, tell

from shared.casework.alarms.watcher import ERASED_WITHIN
from shared.contracts.casework.codes import Role
from shared.exchange.inside import Source
from shared.exchange.verify import verify

HOLDS = timedelta(days=30)
NOTHING_INSIDE: list[Source] = []
on_sqlite = pytest.mark.parametrize("world", ["sqlite"], indirect=True)


async def told(world: World) -> Story:
    """One that is told for a month; she came to the clinic, whose care has ended, and the office has accepted her."""
    story = await tell(world, expires_at=(world.clock.now() + HOLDS).isoformat())
    await world.settle()
    nurse, worker = await world["health"].sign_in("nurse"), await world["social_welfare"].sign_in("worker")
    await worker.post(f"/referrals/{story.sent['social_welfare']}/accept")
    await nurse.post(f"/referrals/{story.sent['health']}/arrive", {"feedback": True, "note": "our own words"})
    await nurse.post(f"/referrals/{story.sent['health']}/start")
    return story


async def closed(world: World, story: Story, at: str, name: str) -> None:
    someone = await world[at].sign_in(name)
    if at == "social_welfare":
        for move in ("arrive", "start"):
            await someone.post(f"/referrals/{story.sent[at]}/{move}", {"feedback": True} if move == "arrive" else {})
    await someone.post(f"/referrals/{story.sent[at]}/close", {"outcome_code": "served"})
    await world.settle()


async def its_day_passes(world: World, story: Story) -> None:
    world.clock.advance(HOLDS)
    await all_watch(world)
    story.desk = await world["police"].sign_in("the_next_officer")


async def all_watch(world: World) -> None:
    for _ in range(2):  # one tells, the other answers
        for agency in world.agencies.values():
            await agency.watcher.tick()
        await world.settle()


async def status(world: World, story: Story, at: str) -> Any:
    reader = await world[at].sign_in(f"reader_{world.clock.now():%j%H%M%S%f}")
    return (await reader.get(f"/referrals/{story.sent[at]}"))["status"]


async def alarmed(story: Story) -> set[str]:
    return {alarm["kind"] for alarm in (await story.desk.get("/alarms"))["items"] if alarm["resolved_at"] is None}


async def test_what_is_over_is_destroyed_and_signed_for_and_what_is_open_goes_on_until_it_is_over(world: World) -> None:
    story, other = await told(world), await tell(world, "another")
    await closed(world, story, "health", "nurse_2")
    await its_day_passes(world, story)
    still = other.canaries["health"]
    assert await left(world["health"], story.canaries["health"] - still) == set()
    assert await left(world["health"], still) == still
    assert (await status(world, story, "health"), await story.erasure("health")) == ("closed", "destroyed")
    mine = story.canaries["social_welfare"]
    assert await left(world["social_welfare"], mine) == mine
    assert (await status(world, story, "social_welfare"), await story.erasure("social_welfare")) == ("accepted", None)
    world.clock.advance(ERASED_WITHIN * 2)
    await all_watch(world)
    assert "not_erased" not in await alarmed(story)  # it goes on there, and that is no fault
    await closed(world, story, "social_welfare", "worker_2")
    await all_watch(world)
    assert await left(world["social_welfare"], mine - other.canaries["social_welfare"]) == set()
    assert (await status(world, story, "social_welfare"), await story.erasure("social_welfare")) == ("closed", "destroyed")
    for agency in world.agencies.values():
        assert (await verify(agency.database, agency.here.agency, agency.seal, NOTHING_INSIDE)).findings == []


@on_sqlite
async def test_nothing_is_told_of_its_end_before_all_that_was_said_under_it_is_there(world: World) -> None:
    story = await tell(world, expires_at=(world.clock.now() + HOLDS).isoformat())
    await world["police"].flush()
    world.clock.advance(HOLDS)
    await world["police"].watcher.tick()
    await world.settle()
    assert await status(world, story, "health") == "issued"
    await its_day_passes(world, story)
    assert await status(world, story, "health") == "issued"  # she may come yet
    assert await left(world["health"], story.canaries["health"]) == story.canaries["health"]


@on_sqlite
async def test_a_restore_of_either_end_brings_nothing_back_and_ends_nothing(world: World) -> None:
    story = await told(world)
    await world.settle()
    at_health, at_police = await world.back_up("health"), await world.back_up("police")
    await closed(world, story, "health", "nurse_2")
    await its_day_passes(world, story)
    assert await story.erasure("health") == "destroyed"
    for agency, image in (("health", at_health), ("police", at_police)):
        await world.restore(agency, image)
        await world.settle_restored()
        await all_watch(world)
        assert await left(world["health"], story.canaries["health"]) == set()
        assert await status(world, story, "health") == "closed"
    story.desk = await world["police"].sign_in("the_officer_after_that")
    assert await story.erasure("health") == "destroyed"
    assert await status(world, story, "social_welfare") == "accepted"
    world.clock.advance(ERASED_WITHIN * 2)
    await all_watch(world)
    assert not await alarmed(story) & {"not_erased", "parked"}


@on_sqlite
async def test_what_a_court_has_forbidden_to_destroy_is_destroyed_when_it_allows_it(world: World) -> None:
    story = await told(world)
    await closed(world, story, "health", "nurse_2")
    supervisor = await world["health"].sign_in("supervisor", Role.SUPERVISOR)
    case = (await supervisor.get(f"/referrals/{story.sent['health']}"))["case_id"]
    await supervisor.post(f"/cases/{case}/holds", {"order": "No. 7 of the court"})
    await its_day_passes(world, story)
    assert await story.erasure("health") == "held"
    supervisor = await world["health"].sign_in("supervisor_2", Role.SUPERVISOR)
    (hold,) = (await supervisor.get(f"/cases/{case}/holds"))["items"]
    await supervisor.ask("DELETE", f"/cases/{case}/holds/{hold['id']}")
    await world.settle()
    assert await story.erasure("health") == "destroyed"
    assert await left(world["health"], story.canaries["health"]) == set()
