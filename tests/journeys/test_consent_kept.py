"""What is done about consents is kept version by version, signed unread by peers; one that ends is asked for again first."""

from datetime import timedelta
from typing import Any

import pytest
from agencies import Refused, World, consent, open_case, refer
from sqlalchemy import select, text
from sqlmodel import col

from shared.casework.alarms.watcher import REMIND_BEFORE
from shared.casework.consents.tables import ConsentEvent
from shared.casework.inside import INSIDE
from shared.exchange.inside import log_inside
from shared.exchange.tables import OutboxRow
from shared.exchange.verify import verify


async def kept(world: World, agency: str = "police") -> list[ConsentEvent]:
    async with world[agency].database.read() as tx:
        return list((await tx.session.execute(select(ConsentEvent).order_by(ConsentEvent.id))).scalars())  # type: ignore[arg-type]


async def test_each_version_is_kept_with_how_it_was_given_and_by_whom_and_whoever_changes_it_is_named(world: World) -> None:
    desk = await world["police"].sign_in("desk")
    case, _ = await open_case(desk)
    agreed = await consent(desk, case, "health", "fb")
    await desk.take_back(case, agreed)
    by_law = {"recipient": "social_welfare", "purpose": "protection", "items": ["req"], "basis": "legal_basis",
              "legal_duty": "child_protection_law", "how": "spoken", "language": "bem", "interpreter": True}  # fmt: skip
    await desk.post(f"/cases/{case}/consents", by_law)
    recorded, taken_back, law = await kept(world)
    assert [(e.version, e.kind, e.recipient, e.items) for e in (recorded, taken_back)] == [
        (1, "recorded", "health", ["req", "fb"]), (2, "taken_back", "health", ["req", "fb"]),
    ]  # fmt: skip
    assert (law.basis, law.legal_duty, law.interpreter, law.how) == ("legal_basis", "child_protection_law", True, "spoken")
    assert recorded.explained_by == recorded.recorded_by
    views = {one["recipient"]: one for one in (await desk.get(f"/cases/{case}/consents"))["items"]}
    assert [(one["language"], one["how"]) for one in views.values()] == [("bem", "spoken")] * 2  # with the yes that is over too
    agency = world["police"]
    await log_inside(agency.database, INSIDE)
    assert (await verify(agency.database, "police", agency.seal, INSIDE)).findings == []
    async with agency.database.write() as tx:
        await tx.session.execute(text("UPDATE casework_consent_events SET recipient = 'health' WHERE basis = 'legal_basis'"))
    assert {f.table for f in (await verify(agency.database, "police", agency.seal, INSIDE)).findings} == {"casework_consent_events"}


async def test_what_she_answers_about_the_desk_where_she_came_is_kept_there_and_her_last_word_counts(world: World) -> None:
    desk, nurse = await world["police"].sign_in("desk"), await world["health"].sign_in("nurse")
    case, incident = await open_case(desk)
    await consent(desk, case, "health")  # to the desk she had not said that it may know
    sent = await refer(desk, case, incident, "health")
    await world.settle()
    await nurse.post(f"/referrals/{sent['id']}/arrive", {"feedback": False})
    await world.settle()
    assert (await desk.get(f"/referrals/{sent['id']}"))["arrived_at"] is None
    await nurse.post(f"/referrals/{sent['id']}/start", {"feedback": False})  # asked again, and the same: no other word of hers
    world.clock.advance(timedelta(minutes=5))
    await nurse.post(f"/referrals/{sent['id']}/close", {"outcome_code": "served", "feedback": True})
    await world.settle()
    assert (await desk.get(f"/referrals/{sent['id']}"))["status"] == "closed"
    no, yes = await kept(world, "health")
    assert [(e.version, e.kind, e.recipient, e.items, str(e.consent_id)) for e in (no, yes)] == [
        (1, "refused", "police", ["fb"], sent["id"]), (2, "recorded", "police", ["fb"], sent["id"]),
    ]  # fmt: skip
    assert yes.explained_by == yes.recorded_by
    assert yes.occurred_at - no.occurred_at == timedelta(minutes=5)


async def test_what_somebody_else_had_answered_is_no_answer_of_hers(world: World) -> None:
    desk, nurse = await world["police"].sign_in("desk"), await world["health"].sign_in("nurse")
    case, incident = await open_case(desk)
    await consent(desk, case, "health")
    sent = await refer(desk, case, incident, "health")
    await world.settle()
    await nurse.post(f"/referrals/{sent['id']}/arrive", {"feedback": True})
    await nurse.post(f"/referrals/{sent['id']}/not-here")
    assert [(e.version, e.kind) for e in await kept(world, "health")] == [(1, "recorded"), (2, "taken_back")]


STEP = {"code": "statement_taken"}


async def words(world: World) -> set[Any]:
    """The ids of all that the desk has said to anybody."""
    async with world["police"].database.read() as tx:
        return set((await tx.session.execute(select(col(OutboxRow.event_id)))).scalars())


async def reminded(desk: Any) -> list[str]:
    return [a["kind"] for a in (await desk.get("/alarms"))["items"] if a["kind"] == "consent_ends_soon" and not a["resolved_at"]]


async def test_its_end_is_told_first_then_stops_sharing_and_never_care(world: World) -> None:
    desk, nurse = await world["police"].sign_in("desk"), await world["health"].sign_in("nurse")
    case, incident = await open_case(desk)
    ends = world.clock.now() + REMIND_BEFORE + timedelta(days=1)
    body = {"recipient": "health", "purpose": "care", "items": ["req", "fb"], "how": "spoken", "language": "bem"}
    await desk.post(f"/cases/{case}/consents", {**body, "expires_at": ends.isoformat()})
    support = {**body, "recipient": "social_welfare", "purpose": "support", "items": ["req", "prog"]}
    await desk.post(f"/cases/{case}/consents", {**support, "expires_at": ends.isoformat()})
    assert (await desk.post(f"/cases/{case}/progress", STEP))["told"] == ["social_welfare"]
    sent = await refer(desk, case, incident, "health")
    await world.settle()
    await world["police"].watcher.tick()
    assert await reminded(desk) == []
    world.clock.advance(timedelta(days=2))
    for _ in range(2):
        await world["police"].watcher.tick()
    assert await reminded(desk) == ["consent_ends_soon"] * 2
    world.clock.advance(REMIND_BEFORE)
    desk, nurse = await world["police"].sign_in("desk_2"), await world["health"].sign_in("nurse_2")
    with pytest.raises(Refused, match="no consent in force"):
        await refer(desk, case, None, "health")
    said = await words(world)
    assert (await desk.post(f"/cases/{case}/progress", STEP))["told"] == []
    await desk.post(f"/referrals/{sent['id']}/set-out", {"mode": "car", "escort": "officer"})
    assert await words(world) == said  # neither a step nor the way there leaves
    for move, more in (("arrive", {"feedback": True}), ("start", {}), ("close", {"outcome_code": "served"})):
        await nurse.post(f"/referrals/{sent['id']}/{move}", more)
    await world.settle()
    assert (await desk.get(f"/referrals/{sent['id']}"))["status"] == "closed"  # what was asked for goes on
    for again in (body, support):
        await desk.post(f"/cases/{case}/consents", again)
    assert await reminded(desk) == []  # she was asked again
    await world["police"].watcher.tick()
    assert await reminded(desk) == []
