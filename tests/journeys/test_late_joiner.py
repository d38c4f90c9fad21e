"""Whoever joins a circle late hears what was before, from each agency that holds it, as far as consent allows, and once."""

from typing import Any

import pytest
from agencies import World, consent, open_case, refer
from sqlalchemy import select
from sqlmodel import col

from shared.casework.circles.tables import CircleMember, Progress
from shared.exchange.tables import InboxRow
from shared.kit.ids import new_id

Heard = list[tuple[str, str, str]]


async def told(world: World, case_ref: str) -> Heard:
    """What the office shows of what others did: who, what, which."""
    worker = await world["social_welfare"].sign_in(f"worker_{new_id()}")
    case = (await worker.get(f"/referrals/{case_ref}"))["case_id"]
    lines = (await worker.get(f"/cases/{case}/timeline?limit=200"))["items"]
    kinds = {"case.progress", "circle.referral_progress"}
    of_others = [line for line in lines if line["kind"] in kinds and not line["is_own"] and line["detail"]]  # else it is erased
    return sorted((line["agency"], line["kind"], line["detail"].get("code") or line["detail"]["state"]) for line in of_others)


async def before(world: World) -> tuple[Any, str, str]:
    """A case that has gone on for a while: two steps with the police, and a clinic that has served her."""
    desk, nurse = await world["police"].sign_in("desk"), await world["health"].sign_in("nurse")
    case, incident = await open_case(desk)
    await desk.post(f"/cases/{case}/progress", {"code": "complaint_registered", "occurred_at": "2026-01-04T13:00:00Z"})
    await consent(desk, case, "health", "fb")
    sent = await refer(desk, case, incident, "health")
    await desk.post(f"/cases/{case}/progress", {"code": "statement_taken"})
    await desk.post(f"/cases/{case}/progress", {"code": "suspect_known"})  # never told to anybody
    await world.settle()
    for move, more in (("accept", {}), ("arrive", {"feedback": True}), ("start", {}), ("close", {"outcome_code": "served"})):
        await nurse.post(f"/referrals/{sent['id']}/{move}", more)
    await world.settle()
    return desk, case, incident


POLICE_SAID = [
    ("police", "case.progress", "complaint_registered"),
    ("police", "case.progress", "statement_taken"),
    ("police", "circle.referral_progress", "closed"),
]


async def test_with_the_item_it_hears_all_of_it_once_with_the_original_times(world: World) -> None:
    desk, case, incident = await before(world)
    await consent(desk, case, "social_welfare", "prog")
    sent = await refer(desk, case, incident, "social_welfare", urgency="urgent")
    await world.settle()
    assert await told(world, sent["id"]) == POLICE_SAID
    async with world["social_welfare"].database.read() as tx:
        first = (await tx.session.execute(select(Progress).where(col(Progress.code) == "complaint_registered"))).scalar_one()
        states = set((await tx.session.execute(select(col(InboxRow.state)))).scalars())
    assert first.occurred_at.isoformat() == "2026-01-04T13:00:00+00:00"
    assert states == {"applied"}
    await desk.post(f"/cases/{case}/progress", {"code": "charged"})  # and what comes later as it comes
    await world.settle()
    worker = await world["social_welfare"].sign_in("other")
    here = (await worker.get(f"/referrals/{sent['id']}"))["case_id"]
    lines = (await worker.get(f"/cases/{here}/timeline?limit=200"))["items"]
    assert len([line for line in lines if line["kind"] == "case.progress"]) == 3


async def test_who_else_is_asked_is_told_only_where_the_table_lets_it_and_under_its_item(world: World) -> None:
    desk, case, incident = await before(world)
    await consent(desk, case, "health", "fb", "prog")  # no direction to a clinic ever tells of other places
    await consent(desk, case, "social_welfare", "prog")
    await refer(desk, case, incident, "social_welfare", urgency="urgent")
    await world.settle()
    named = select(col(CircleMember.shares_with)).where(col(CircleMember.agency) == "police")
    heard = {}
    for kind in ("health", "social_welfare"):
        async with world[kind].database.read() as tx:
            heard[kind] = (await tx.session.execute(named)).scalar_one()
    assert heard == {"health": [], "social_welfare": ["health", "social_welfare"]}


async def test_without_the_item_it_hears_none_of_it_and_with_it_later_all(world: World) -> None:
    desk, case, incident = await before(world)
    await consent(desk, case, "social_welfare")
    sent = await refer(desk, case, incident, "social_welfare", urgency="urgent")
    await world.settle()
    assert await told(world, sent["id"]) == []
    await consent(desk, case, "social_welfare", "prog")
    await desk.post(f"/cases/{case}/progress", {"code": "charged"})
    await world.settle()
    worker = await world["social_welfare"].sign_in("later")
    here = (await worker.get(f"/referrals/{sent['id']}"))["case_id"]
    lines = (await worker.get(f"/cases/{here}/timeline?limit=200"))["items"]
    steps = sorted(line["detail"]["code"] for line in lines if line["kind"] == "case.progress")
    assert steps == ["charged", "complaint_registered", "statement_taken"]


async def test_each_holder_tells_its_own_and_only_where_she_agreed_there(world: World) -> None:
    desk, case, incident = await before(world)
    nurse = await world["health"].sign_in("nurse_2")
    at_clinic = (await nurse.get("/referrals?direction=in"))["items"][0]["case_id"]
    await nurse.post(f"/cases/{at_clinic}/progress", {"code": "next_clinic_date", "on_date": "2026-02-03"})
    await consent(desk, case, "social_welfare", "prog")
    sent = await refer(desk, case, incident, "social_welfare", urgency="urgent")
    await world.settle()
    assert [one for one in await told(world, sent["id"]) if one[0] == "health"] == []  # the clinic has not asked her
    await consent(nurse, at_clinic, "social_welfare", "fb")
    await refer(nurse, at_clinic, None, "social_welfare", urgency="urgent")
    await world.settle()
    worker = await world["social_welfare"].sign_in("later")
    here = (await worker.get(f"/referrals/{sent['id']}"))["case_id"]
    lines = (await worker.get(f"/cases/{here}/timeline?limit=200"))["items"]
    assert [line["detail"]["code"] for line in lines if line["agency"] == "health" and line["kind"] == "case.progress"] == [
        "next_clinic_date"
    ]


async def heard_of_the_clinic(world: World, case_ref: str) -> list[str]:
    return sorted(what for agency, _kind, what in await told(world, case_ref) if agency == "health")


async def at_a_clinic_that_has_told(world: World, *items: str) -> tuple[Any, str, str]:
    """A clinic with a day of its own and a request to the police, of which the office has heard what these items allow."""
    nurse = await world["health"].sign_in("nurse")
    case, incident = await open_case(nurse)
    await nurse.post(f"/cases/{case}/progress", {"code": "next_clinic_date", "on_date": "2026-02-03"})
    await consent(nurse, case, "police")
    asked = {"case_id": case, "incident_id": incident, "to_agency": "police", "to_facility": "ndola_central_vsu",
             "services": ["report_to_police"], "urgency": "urgent"}  # fmt: skip
    sent = await nurse.post("/referrals", asked)
    await world.settle()
    desk = await world["police"].sign_in("desk")
    await desk.post(f"/referrals/{sent['id']}/accept")
    await world.settle()
    await consent(nurse, case, "social_welfare", *items)
    office = await refer(nurse, case, incident, "social_welfare", urgency="urgent")
    await world.settle()
    return nurse, case, office["id"]


@pytest.mark.parametrize(("first", "heard"), [("fb", ["next_clinic_date"]), ("prog", ["accepted"])])
async def test_what_a_newer_consent_allows_beside_what_was_told_is_told_then_and_nothing_twice(
    world: World, first: str, heard: list[str]
) -> None:
    nurse, case, office = await at_a_clinic_that_has_told(world, first)
    assert await heard_of_the_clinic(world, office) == heard
    await consent(nurse, case, "social_welfare", "fb", "prog")
    await nurse.post(f"/cases/{case}/progress", {"code": "next_clinic_date", "on_date": "2026-03-03"})
    await world.settle()
    assert await heard_of_the_clinic(world, office) == ["accepted", *["next_clinic_date"] * 2]
    await consent(nurse, case, "social_welfare", "fb", "prog")  # asked once more
    await nurse.post(f"/cases/{case}/progress", {"code": "next_clinic_date", "on_date": "2026-04-03"})
    await world.settle()
    assert await heard_of_the_clinic(world, office) == ["accepted", *["next_clinic_date"] * 3]


async def test_who_took_part_before_a_consent_was_taken_back_is_told_of_to_nobody(world: World) -> None:
    desk, case, incident = await before(world)
    (agreed,) = [one for one in (await desk.get(f"/cases/{case}/consents"))["items"] if one["recipient"] == "health"]
    await desk.take_back(case, agreed)
    await consent(desk, case, "social_welfare", "prog")
    sent = await refer(desk, case, incident, "social_welfare", urgency="urgent")
    await world.settle()
    assert [one for one in await told(world, sent["id"]) if one[1] == "circle.referral_progress"] == []


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
async def test_what_went_with_a_consent_is_told_again_under_the_next(world: World) -> None:
    desk, case, incident = await before(world)
    agreed = await consent(desk, case, "social_welfare", "prog")
    await refer(desk, case, incident, "social_welfare", urgency="urgent")
    await world.settle()
    await desk.take_back(case, agreed)
    await world.settle()
    async with world["social_welfare"].database.read() as tx:
        assert (await tx.session.execute(select(Progress))).first() is None
    await consent(desk, case, "social_welfare", "prog")
    again = await refer(desk, case, incident, "social_welfare", urgency="urgent")
    await world.settle()
    heard = await told(world, again["id"])
    assert [one for one in heard if one[2] in {"complaint_registered", "statement_taken"}] == POLICE_SAID[:2]
