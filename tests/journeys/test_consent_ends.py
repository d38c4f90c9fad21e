"""At the end of a consent what was received under it goes, once nothing under it is open; no care and no request ends with it."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from agencies import TestAgency, World, consent, open_case, refer
from canaries import Story, left, tell
from kafka_line import until
from sqlalchemy import select, text
from sqlmodel import col

import services.demo
from shared.casework.accounts.commands import actor_of
from shared.casework.alarms.commands import END_WAITS
from shared.casework.alarms.tables import Alarm
from shared.casework.alarms.watcher import ERASED_WITHIN, REMIND_BEFORE
from shared.casework.directory.network import parse_network
from shared.casework.holds.commands import PlaceHold, place_hold
from shared.contracts.casework.codes import ConsentItem, Role
from shared.contracts.casework.events import OVER
from shared.exchange.erasing import received_key
from shared.exchange.inside import Source
from shared.exchange.tables import InboxRow, OutboxRow
from shared.exchange.verify import verify

HOLDS = timedelta(days=30)
NOTHING_INSIDE: list[Source] = []
BY_LAW = {"items": ["req"], "basis": "legal_basis", "legal_duty": "court_order", "how": "spoken", "language": "bem"}
on_postgres = pytest.mark.parametrize("world", ["postgresql"], indirect=True)
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


async def end_waits(agency: TestAgency) -> list[bool]:
    """The alarms that an end is not heard, each with whether it is over."""
    async with agency.database.read() as tx:
        alarms = (await tx.session.execute(select(Alarm).where(col(Alarm.kind) == END_WAITS))).scalars().all()
    return [alarm.resolved_at is not None for alarm in alarms]


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


async def reminded(story: Story) -> list[str]:
    """The consents of which the desk is reminded that they end, or have ended."""
    alarms = (await story.desk.get("/alarms"))["items"]
    return [one["about"] for one in alarms if one["kind"] == "consent_ends_soon" and one["resolved_at"] is None]


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


@on_postgres
async def test_a_hold_that_is_placed_as_a_receipt_is_heard_keeps_the_senders_words(world: World) -> None:
    story, police = await told(world), world["police"]
    await closed(world, story, "health", "nurse_2")
    world.clock.advance(HOLDS)
    await police.watcher.tick()
    await world.deliver("police", "health")  # which destroys, signs for it
    judge = await police.sign_in("judge", Role.SUPERVISOR)

    async def is_heard_or_waits() -> bool:
        query = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")
        async with police.database.read() as tx:
            return hearing.done() or bool((await tx.session.execute(query)).scalar_one())

    async with police.database.write() as tx:
        by = await actor_of(tx, police.here, judge.token)
        assert by is not None
        await place_hold(UUID(story.case), PlaceHold(order="No. 8 of the court"), tx, police.here, by)
        hearing = asyncio.create_task(world.deliver("health", "police"))  # and is heard before this is committed
        await until(is_heard_or_waits)
    await hearing
    async with police.database.read() as tx:
        under = select(OutboxRow).where(
            col(OutboxRow.consent_id) == UUID(story.agreed["health"]["id"]), ~col(OutboxRow.type).in_(OVER)
        )
        rows = (await tx.session.execute(under)).scalars().all()
    assert {(row.data is None, row.erased_at is None) for row in rows} == {(False, False)}


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


@on_sqlite
async def test_a_restored_recipient_that_reads_of_the_end_first_destroys_nothing_that_is_open(world: World) -> None:
    before = await world.back_up("health")
    story = await told(world)
    world.clock.advance(HOLDS)
    await world["police"].watcher.tick()
    await world["police"].flush()
    (ended,) = [one.envelope for one in world["police"].line if one.recipient == "health"]
    await world.settle()
    await world.restore("health", before)
    await world["health"].hear("police", [ended])  # it lay at the broker; the request is still to be asked for
    await world["health"].inbox.sweep()
    await world.settle_restored()
    standing = await status(world, story, "health")
    assert standing in {"issued", "in_service"}
    assert await left(world["health"], story.canaries["health"]) == story.canaries["health"]
    nurse = await world["health"].sign_in("nurse_3")
    if standing == "issued":
        await nurse.post(f"/referrals/{story.sent['health']}/arrive", {"feedback": True})
        await nurse.post(f"/referrals/{story.sent['health']}/start")
    await closed(world, story, "health", "nurse_4")
    await all_watch(world)
    assert await left(world["health"], story.canaries["health"]) == set()


async def test_a_newer_yes_prolongs_what_it_covers_and_nothing_else(world: World) -> None:
    story = await told(world)
    await closed(world, story, "health", "nurse_2")
    await closed(world, story, "social_welfare", "worker_2")
    until = (world.clock.now() + HOLDS * 2).isoformat()
    items = [str(item) for item in ConsentItem if item is not ConsentItem.REQ]
    renewed = await consent(story.desk, story.case, "health", *items, expires_at=until)
    await consent(story.desk, story.case, "social_welfare", "needs", expires_at=until)  # less than before
    await its_day_passes(world, story)
    assert await story.erasure("health") is None
    assert await left(world["health"], story.canaries["health"]) == story.canaries["health"]
    assert await story.erasure("social_welfare") == "destroyed"
    await story.desk.take_back(story.case, renewed)  # with which the older one has nothing that it stands by any more
    await world.settle()
    await all_watch(world)
    assert await story.erasure("health") == "destroyed"
    assert await left(world["health"], story.canaries["health"]) == set()


@on_sqlite
async def test_a_yes_after_its_day_prolongs_nothing_and_one_for_another_purpose_changes_nothing(world: World) -> None:
    story = await told(world)
    await closed(world, story, "health", "nurse_2")
    await closed(world, story, "social_welfare", "worker_2")
    until = (world.clock.now() + HOLDS * 12).isoformat()
    items = [str(item) for item in ConsentItem if item is not ConsentItem.REQ]
    for purpose in ("care", "justice"):  # the second is another matter
        await consent(story.desk, story.case, "health", *items, expires_at=until, purpose=purpose)
    world.clock.advance(HOLDS)  # and nobody watches on that day
    story.desk = await world["police"].sign_in("the_next_officer")
    await consent(story.desk, story.case, "social_welfare", *items, expires_at=until)
    await all_watch(world)
    assert await story.erasure("health") is None
    assert await story.erasure("social_welfare") == "destroyed"


@on_sqlite
async def test_each_purpose_has_its_own_reminder_and_only_her_yes_to_the_same_clears_it(world: World) -> None:
    """What ends by itself is never first heard of at its end: a yes for another purpose reminds of nothing and settles nothing."""
    story = await told(world)
    await closed(world, story, "health", "nurse_2")
    items = [str(item) for item in ConsentItem if item is not ConsentItem.REQ]
    longer = (world.clock.now() + HOLDS * 12).isoformat()
    await consent(story.desk, story.case, "health", "fb", expires_at=longer, purpose="justice")
    assert await reminded(story) == []
    world.clock.advance(HOLDS - REMIND_BEFORE)
    await all_watch(world)
    story.desk = await world["police"].sign_in("the_next_officer")
    ends = story.agreed["health"]["id"]
    assert ends in await reminded(story)
    await consent(story.desk, story.case, "health", *items, expires_at=longer, purpose="justice")
    await story.desk.post(f"/cases/{story.case}/consents", BY_LAW | {"recipient": "health", "purpose": "care"})
    assert ends in await reminded(story)  # nobody has asked her about that one
    await consent(story.desk, story.case, "health", *items, expires_at=longer)
    assert ends not in await reminded(story)
    world.clock.advance(REMIND_BEFORE)
    await all_watch(world)
    story.desk = await world["police"].sign_in("the_officer_after_that")
    assert (await story.erasure("health"), ends in await reminded(story)) == (None, False)


@on_sqlite
async def test_what_a_newer_yes_has_prolonged_ends_with_it(world: World) -> None:
    story = await told(world)
    await closed(world, story, "health", "nurse_2")
    items = [str(item) for item in ConsentItem if item is not ConsentItem.REQ]
    await consent(story.desk, story.case, "health", *items, expires_at=(world.clock.now() + HOLDS * 2).isoformat())
    await its_day_passes(world, story)
    assert await story.erasure("health") is None
    world.clock.advance(HOLDS)
    await all_watch(world)
    story.desk = await world["police"].sign_in("the_officer_after_that")
    assert await story.erasure("health") == "destroyed"


NEW_PLACE = "ndola_annex"  # that the desk's network file names, and the clinic's does not yet


def knowing_the_new_place(agency: TestAgency) -> TestAgency:
    content = yaml.safe_load((Path(services.demo.__file__).parent / "network.yaml").read_text()) | {"purpose": "test"}
    places = content["agencies"]["health"]["facilities"]
    places[NEW_PLACE] = {**places["ndola_clinic"], "name": "Ndola annex"}
    fresh = TestAgency(replace(agency.here, network=parse_network(content, "the test's")), agency.parts, agency.database)
    fresh.line = agency.line
    return fresh


@on_sqlite
async def test_a_request_that_could_not_be_taken_yet_outlives_the_end_of_its_consent(world: World) -> None:
    world.agencies["police"] = knowing_the_new_place(world["police"])
    desk, health = await world["police"].sign_in("desk"), world["health"]
    case, incident = await open_case(desk)
    agreed = await consent(desk, case, "health", "needs", expires_at=(world.clock.now() + HOLDS).isoformat())
    sent = (await refer(desk, case, incident, "health", urgency="routine", to_facility=NEW_PLACE))["id"]
    await world.settle()

    async def states() -> dict[str, str]:
        async with health.database.read() as tx:
            rows = (await tx.session.execute(select(InboxRow).where(col(InboxRow.sender) == "police"))).scalars()
            return {row.type: row.state for row in rows if row.type in {"referral.issued", "consent.ended"}}

    assert await states() == {"referral.issued": "parked"}
    world.clock.advance(HOLDS)
    await all_watch(world)
    assert await states() == {"referral.issued": "parked", "consent.ended": "waiting"}
    assert await end_waits(health) == []
    world.clock.advance(timedelta(days=1))  # and nobody has taken it up: its words would be kept for ever
    for _ in range(2):
        await health.watcher.tick()
    assert await end_waits(health) == [False]
    async with health.database.read() as tx:
        assert not tx.keys.gone([received_key("police", UUID(agreed["id"]))])
    world.agencies["health"] = health = knowing_the_new_place(health)
    async with health.database.read() as tx:
        parked = select(col(InboxRow.event_id)).where(col(InboxRow.state) == "parked")
        event_id = (await tx.session.execute(parked)).scalar_one()
    assert await health.inbox.retry("police", event_id)
    await all_watch(world)
    assert await states() == {"referral.issued": "applied", "consent.ended": "applied"}
    assert await end_waits(health) == [True]
    nurse = await health.sign_in("nurse")
    assert (await nurse.get(f"/referrals/{sent}"))["status"] == "issued"
    await nurse.post(f"/referrals/{sent}/decline", {"reason_code": "no_staff"})
    await all_watch(world)
    async with health.database.read() as tx:
        assert tx.keys.gone([received_key("police", UUID(agreed["id"]))])
