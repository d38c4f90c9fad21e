"""A case conference between three agencies: each hears only the items that her consent to it covers, answers, and is told its own
part of what was decided; consent taken back cancels the invitation at once and wipes it there.
"""

from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest
from agencies import Desk, Refused, World, consent, open_case, refer
from shift import at_work
from sqlalchemy import select
from sqlmodel import col

from shared.casework.cases.custody import bundle_of
from shared.casework.cases.tables import Case
from shared.casework.conferences.tables import Conference
from shared.contracts.casework import events, minimal_data
from shared.contracts.casework.codes import AgencyKind, AgendaItem, Role
from shared.exchange.custody import check_bundle
from shared.exchange.tables import OutboxRow

OFFICE = {"on_date": "2026-01-05", "part": "morning"}  # today: it is concluded once it was
ALL = [str(item) for item in AgendaItem]


async def circle(world: World) -> tuple[Desk, Desk, Desk, str]:
    """A case that the police sent to the clinic and to the office: (officer, nurse, worker, case at the office)."""
    desk, nurse = await world["police"].sign_in("officer"), await world["health"].sign_in("nurse")
    worker = await world["social_welfare"].sign_in("worker")
    case_id, incident_id = await open_case(desk)
    for agency in ("health", "social_welfare"):
        await consent(desk, case_id, agency, "needs")
        await refer(desk, case_id, incident_id, agency)
    await world.settle()
    (case,) = (await worker.get("/cases"))["items"]
    return desk, nurse, worker, case["id"]


async def call(worker: Desk, case_id: str, *agencies: str, agenda: list[str] = ALL, **more: Any) -> Any:
    return await worker.post(f"/cases/{case_id}/conferences", {**OFFICE, "agenda": agenda, "agencies": list(agencies), **more})


async def heard(desk: Desk) -> list[Any]:
    """What an agency that was asked knows of its conferences."""
    found = []
    for case in (await desk.get("/cases"))["items"]:
        found += (await desk.get(f"/cases/{case['id']}/conferences"))["items"]
    return found


async def words(world: World, recipient: str, type_: str) -> list[dict[str, Any]]:
    async with world["social_welfare"].database.read() as tx:
        query = select(OutboxRow).where(col(OutboxRow.recipient) == recipient, col(OutboxRow.type) == type_)
        return [row.data or {} for row in (await tx.session.execute(query.order_by(col(OutboxRow.position)))).scalars()]


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
async def test_each_hears_only_what_her_consent_to_that_recipient_covers_whatever_she_agreed_to(world: World) -> None:
    """Every choice of two items of hers, for both recipients at once."""
    desk, nurse, worker, case_id = await circle(world)
    choices = list(combinations(ALL, 2))
    for n, to_police in enumerate(choices):
        to_health = choices[-1 - n]
        await consent(worker, case_id, "police", *to_police)
        await consent(worker, case_id, "health", *to_health)
        for agency, kind, agreed in (("police", AgencyKind.POLICE, to_police), ("health", AgencyKind.HEALTH, to_health)):
            allowed = {str(item) for item in minimal_data.AGENDA_CROSSES[AgencyKind.SOCIAL_WELFARE, kind]}
            expected = [item for item in ALL if item in agreed and item in allowed]
            if not expected:
                with pytest.raises(Refused) as refused:
                    await call(worker, case_id, agency)
                assert refused.value.status == 422
                continue
            made = await call(worker, case_id, agency)
            assert [one["agenda"] for one in made["invitations"]] == [expected]
            assert (await words(world, agency, events.ConferenceCalled.type))[-1]["agenda"] == expected
    await world.settle()
    for who, agency in ((desk, "police"), (nurse, "health")):
        assert [one["agenda"] for one in await heard(who)][::-1] == [
            one["agenda"] for one in await words(world, agency, events.ConferenceCalled.type)
        ]
        assert all(one["invitations"] == [] for one in await heard(who))  # nobody hears who else was asked


DECISIONS = [
    {"item": "needs", "code": "support_for_her", "responsible": "social_welfare", "due_on": "2026-02-01"},
    {"item": "safety", "code": "safety_measures", "responsible": "police", "due_on": "2026-01-30"},
    {"item": "given", "code": "follow_up_of_care", "responsible": "health", "due_on": "2026-02-02"},
    {"item": "needs", "code": "legal_aid", "responsible": "health", "due_on": "2026-02-03"},
]


async def test_a_conference_is_called_answered_and_concluded_and_each_is_told_its_own_part(world: World) -> None:
    desk, nurse, worker, case_id = await circle(world)
    await consent(worker, case_id, "police", "needs", "safety")
    await consent(worker, case_id, "health", "needs", "given")
    made = await call(worker, case_id, "police", "health", note="Synthetic: she comes herself.")
    await world.settle()
    (at_police,), (at_clinic,) = await heard(desk), await heard(nurse)
    assert (at_police["agenda"], at_clinic["agenda"]) == (["needs", "safety"], ["needs", "given"])
    assert (await desk.get("/conferences"))["items"][0]["id"] == made["id"]
    await desk.post(f"/conferences/{made['id']}/answer", {"answer": "will_come"})
    await nurse.post(f"/conferences/{made['id']}/answer", {"answer": "cannot_come"})
    await world.settle()
    asked = {one["agency"]: one["answer"] for one in (await worker.get(f"/conferences/{made['id']}"))["invitations"]}
    assert asked == {"police": "will_come", "health": "cannot_come"}
    await worker.post(f"/conferences/{made['id']}/conclude", {"outcome": "held", "decisions": DECISIONS})
    await world.settle()
    (at_police,), (at_clinic,) = await heard(desk), await heard(nurse)
    # That the clinic sees to something tells that she is known there: not without "prog".
    assert at_police["decisions"] == [DECISIONS[0], DECISIONS[1]]
    assert at_clinic["decisions"] == [DECISIONS[0], DECISIONS[2], DECISIONS[3]]
    assert {at_police["state"], at_clinic["state"]} == {"held"}
    assert (await worker.get(f"/conferences/{made['id']}"))["decisions"] == DECISIONS
    for late in ({"answer": "will_come"},):
        assert (await desk.ask("POST", f"/conferences/{made['id']}/answer", late)).status_code == 409


async def test_consent_taken_back_cancels_the_invitation_at_once_and_wipes_it_there(world: World) -> None:
    desk, nurse, worker, case_id = await circle(world)
    agreed = await consent(worker, case_id, "police", "needs", "safety")
    await consent(worker, case_id, "health", "needs")
    made = await call(worker, case_id, "police", "health")
    await world.settle()
    await desk.post(f"/conferences/{made['id']}/answer", {"answer": "will_come"})
    await world.settle()
    await worker.take_back(case_id, agreed)
    at_office = await worker.get(f"/conferences/{made['id']}")  # before anything has left
    assert [bool(one["withdrawn_at"]) for one in at_office["invitations"]] == [False, True]
    await world.settle()
    (at_police,), (at_clinic,) = await heard(desk), await heard(nurse)
    wiped: dict[str, Any] = {"state": "withdrawn", "agenda": [], "decisions": [], "on_date": None, "part": None, "facility": None}
    assert {name: at_police[name] for name in wiped} == wiped
    assert at_police["answer"] == "will_come"  # its own
    assert (at_clinic["state"], at_clinic["agenda"]) == ("called", ["needs"])
    async with world["police"].database.read() as tx:
        row = (await tx.session.execute(select(Conference))).scalar_one()
        assert tx.keys.gone({row.key_name}) == {row.key_name}
    (erasure,) = [c for c in (await worker.get(f"/cases/{case_id}/consents"))["items"] if c["id"] == agreed["id"]]
    assert erasure["taken_back_at"]
    await worker.post(f"/conferences/{made['id']}/conclude", {"outcome": "held", "decisions": DECISIONS[:1]})
    await world.settle()
    assert (await heard(desk))[0]["decisions"] == []
    assert (await heard(nurse))[0]["decisions"] == DECISIONS[:1]
    refused = await worker.ask("POST", f"/cases/{case_id}/conferences", {**OFFICE, "agenda": ["needs"], "agencies": ["police"]})
    assert refused.status_code == 422


async def test_a_case_that_an_invitation_opens_lies_nowhere_until_a_supervisor_says_where(world: World) -> None:
    worker, police = await world["social_welfare"].sign_in("worker"), world["police"]
    case_id, _incident = await open_case(worker)
    await consent(worker, case_id, "police", "needs", "prog")
    await call(worker, case_id, "police", agenda=["needs"])
    await world.settle()
    desks = [await police.sign_in(place, facility=place) for place in ("ndola_central_vsu", "masaiti_vsu")]
    assert [await heard(desk) for desk in desks] == [[], []]
    chief = await at_work(world, "police", "chief", Role.SUPERVISOR, "masaiti_vsu")
    async with police.database.read() as tx:
        case = (await tx.session.execute(select(Case))).scalar_one()
    assert [(await desk.ask("GET", f"/cases/{case.id}")).status_code for desk in desks] == [404, 404]
    page = await chief.open(f"/cases/{case.id}")
    assert "No place looks after this case yet" in page.words
    page = await chief.send(page.form(f"/cases/{case.id}/place"))
    assert "No place looks after this case yet" not in page.words
    assert [len(await heard(desk)) for desk in desks] == [1, 1]  # hers, and the one that writes for it
    (invited,) = await heard(desks[0])
    await desks[0].post(f"/conferences/{invited['id']}/answer", {"answer": "will_come"})
    inspector = await police.sign_in("inspector", Role.SUPERVISOR, "ndola_central_vsu")
    assert (await inspector.ask("POST", f"/cases/{case.id}/place", {"facility": "masaiti_vsu"})).status_code == 409


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
async def test_an_invitation_ends_by_the_day_of_what_it_rests_on_though_a_request_goes_on(world: World) -> None:
    desk, nurse, worker, case_id = await circle(world)
    until = (world.clock.now() + timedelta(days=3)).isoformat()
    await consent(worker, case_id, "police", "needs", "safety", expires_at=until)
    await consent(worker, case_id, "health", "needs")
    await refer(worker, case_id, None, "police", urgency="routine")  # open there, and goes on
    made = await call(worker, case_id, "police", "health")
    await world.settle()
    world.clock.advance(timedelta(days=4))
    await world["social_welfare"].watcher.tick()
    await world.settle()
    at_office = await worker.get(f"/conferences/{made['id']}")
    assert [(one["agency"], bool(one["withdrawn_at"])) for one in at_office["invitations"]] == [("health", False), ("police", True)]
    (at_police,), (at_clinic,) = await heard(desk), await heard(nurse)
    assert (at_police["state"], at_police["agenda"], at_police["on_date"]) == ("withdrawn", [], None)
    assert at_clinic["state"] == "called"
    assert "issued" in {one["status"] for one in (await desk.get("/referrals?direction=in"))["items"]}


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
async def test_the_bundle_of_a_case_has_what_was_said_of_a_consent_that_a_conference_alone_rested_on(world: World) -> None:
    _desk, _nurse, worker, case_id = await circle(world)
    agreed = await consent(worker, case_id, "police", "needs")
    await call(worker, case_id, "police", agenda=["needs"])
    await world.settle()
    await worker.take_back(case_id, agreed)
    await world.settle()
    police = world["police"]
    await police.sign_in("chief", Role.SUPERVISOR)
    async with police.database.write() as tx:
        case = (await tx.session.execute(select(Case))).scalar_one()
        made = check_bundle((await bundle_of(tx, police.here, police.seal, str(case.id), "chief"))[2])
    assert made.faults == []
    assert {events.ConsentTakenBack.type, events.ConsentErased.type} <= {one.type for one in made.shown}


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
async def test_what_was_decided_is_told_as_her_last_answer_has_it(world: World) -> None:
    """Between the invitation and the meeting she said yes to less for the police, and no about the clinic."""
    desk, nurse, worker, case_id = await circle(world)
    await consent(worker, case_id, "police", "needs", "safety")
    agreed = await consent(worker, case_id, "health", "needs")
    made = await call(worker, case_id, "police", "health")
    await world.settle()
    await consent(worker, case_id, "police", "safety", "type")
    await worker.take_back(case_id, agreed)
    decided = [DECISIONS[0], DECISIONS[1], {**DECISIONS[0], "item": "type"}]
    await worker.post(f"/conferences/{made['id']}/conclude", {"outcome": "held", "decisions": decided})
    await world.settle()
    assert [one["decisions"] for one in await heard(desk)] == [[DECISIONS[1]]]  # not "needs" any more, and "type" was never heard
    assert [(one["state"], one["decisions"]) for one in await heard(nurse)] == [("withdrawn", [])]


async def test_an_invitation_that_had_not_left_is_never_sent(world: World) -> None:
    desk, _nurse, worker, case_id = await circle(world)
    agreed = await consent(worker, case_id, "police", "needs")
    await call(worker, case_id, "police", agenda=["needs"])
    await worker.take_back(case_id, agreed)
    await world.settle()
    assert await heard(desk) == []


async def test_only_the_social_worker_calls_and_only_whoever_called_concludes(world: World) -> None:
    desk, _nurse, worker, case_id = await circle(world)
    (case,) = (await desk.get("/cases"))["items"]
    body = {**OFFICE, "agenda": ["needs"], "agencies": ["social_welfare"]}
    assert (await desk.ask("POST", f"/cases/{case['id']}/conferences", body)).status_code == 409
    await consent(worker, case_id, "police", "needs")
    made = await call(worker, case_id, "police", agenda=["needs"])
    await world.settle()
    assert (await desk.ask("POST", f"/conferences/{made['id']}/conclude", {"outcome": "called_off"})).status_code == 409
    assert (await worker.ask("POST", f"/conferences/{made['id']}/answer", {"answer": "will_come"})).status_code == 409
    later = await call(worker, case_id, "police", agenda=["needs"], on_date="2026-01-06")
    assert (await worker.ask("POST", f"/conferences/{later['id']}/conclude", {"outcome": "held"})).status_code == 409
    await worker.post(f"/conferences/{later['id']}/conclude", {"outcome": "called_off"})
    wrong = {"outcome": "held", "decisions": [{**DECISIONS[1]}]}
    assert (await worker.ask("POST", f"/conferences/{made['id']}/conclude", wrong)).status_code == 409  # was on no agenda
    await worker.post(f"/conferences/{made['id']}/conclude", {"outcome": "called_off"})
    await world.settle()
    assert {one["state"] for one in await heard(desk)} == {"called_off"}


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
async def test_a_restored_office_knows_its_conference_again_by_what_it_had_told(world: World) -> None:
    desk, nurse, worker, case_id = await circle(world)
    await consent(worker, case_id, "police", "needs", "safety")
    await consent(worker, case_id, "health", "needs")
    await world.settle()
    image = await world.back_up("social_welfare")
    made = await call(worker, case_id, "police", "health")
    await world.settle()
    await desk.post(f"/conferences/{made['id']}/answer", {"answer": "will_come"})
    await world.settle()
    await world.restore("social_welfare", image)
    await world.settle_restored()
    again = Desk(world["social_welfare"].client, worker.token)
    known = await again.get(f"/conferences/{made['id']}")
    assert (known["state"], known["on_date"]) == ("called", OFFICE["on_date"])
    assert sorted(known["agenda"]) == ["needs", "safety"]
    assert {one["agency"]: one["answer"] for one in known["invitations"]} == {"police": "will_come", "health": None}
    assert len(await heard(nurse)) == 1
