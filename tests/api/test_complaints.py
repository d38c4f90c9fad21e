"""A complaint through the API: said once to whom consent allows, told by her safe way, withdrawn without touching her care."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from agencies import Desk, Refused, World, consent, open_case, refer
from sqlalchemy import select
from sqlmodel import col

from services.police.complaints.views import to_tell
from shared.casework.accounts.tables import CaseRead
from shared.casework.alarms.tables import Alarm
from shared.casework.circles.tables import Progress
from shared.casework.consents.tables import Consent
from shared.casework.here import Actor
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import Role
from shared.exchange.tables import OutboxRow
from shared.kit.ids import new_id

STATION = "ndola_central_vsu"
WITHDRAWN = {"asked_by": "family", "where": "court", "pressure": "yes", "asked_alone": True, "is_safe": "no"}


async def refused(work: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as error:
        await work
    return error.value.status, error.value.problem["detail"]


async def registered(desk: Desk, case_id: str, **more: Any) -> str:
    made = await desk.post(f"/cases/{case_id}/complaints", {"number": "FIR/12/26", **more})
    return f"/cases/{case_id}/complaints/{made['id']}"


async def at_station(world: World, name: str = "desk", role: Role = Role.OFFICER) -> Desk:
    return await world["police"].sign_in(name, role, STATION)


async def everything_said(world: World) -> list[tuple[str, str]]:
    """Each word of a coded step that went out: (recipient, event)."""
    async with world["police"].database.read() as tx:
        query = select(OutboxRow).where(col(OutboxRow.type) == "case.progress").order_by(col(OutboxRow.position))
        return [(row.recipient, str(row.event_id)) for row in (await tx.session.execute(query)).scalars()]


async def test_milestones_are_said_once_and_only_to_whom_she_allows_it(world: World) -> None:
    desk = await at_station(world)
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health", "needs")
    await consent(desk, case_id, "social_welfare", "needs", "prog")
    await refer(desk, case_id, incident_id, "health")
    await refer(desk, case_id, incident_id, "social_welfare")
    path = await registered(desk, case_id)
    key = {"Idempotency-Key": "the-same-tap"}
    step = {"code": "statement_taken", "occurred_at": "2026-01-04T15:00:00Z"}
    first = await desk.post(f"{path}/steps", step, **key)
    assert await desk.post(f"{path}/steps", step, **key) == first
    assert await refused(desk.post(f"{path}/steps", step)) == (409, "This step stands here already, with the same time.")
    await desk.post(f"{path}/steps", {"code": "hearing_date", "hearing_on": "2026-03-01"})
    said = await everything_said(world)
    assert [to for to, _event in said] == ["social_welfare"] * 3
    assert len(set(said)) == 3
    await world.settle()
    worker = await world["social_welfare"].sign_in("worker")
    (theirs,) = (await worker.get("/cases"))["items"]
    heard = [
        line["detail"] for line in (await worker.get(f"/cases/{theirs['id']}/timeline"))["items"] if line["kind"] == "case.progress"
    ]
    assert {one["code"] for one in heard} == {"complaint_registered", "statement_taken", "hearing_date"}
    assert "FIR" not in str(heard)


async def test_a_day_in_court_that_was_mistyped_is_taken_back_and_told_to_whoever_heard_of_it(world: World) -> None:
    desk = await at_station(world)
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health", "needs")
    await consent(desk, case_id, "social_welfare", "needs", "prog")
    await refer(desk, case_id, incident_id, "health")
    await refer(desk, case_id, incident_id, "social_welfare")
    path = await registered(desk, case_id)

    async def hearing(day: str, **more: Any) -> int:
        found = (await desk.post(f"{path}/steps", {"code": "hearing_date", "hearing_on": day, **more}))["steps"]
        return int(next(one["step"] for one in found if one["hearing_on"] == day))

    async def to_tell() -> list[tuple[str, str | None]]:
        found = (await desk.get(f"/cases/{case_id}/to-tell"))["steps"]
        return [(one["code"], one["was_on"]) for one in found if one["code"] == "hearing_date"]

    told, untold = await hearing("2026-03-01", told_now=True), await hearing("2026-03-02")
    assert await to_tell() == [("hearing_date", None)]
    world.clock.advance(timedelta(minutes=5))
    for step in (told, untold):
        off = await desk.post(f"/cases/{case_id}/hearing-off", {"step": step})
        assert (off["hearing_on"], off["is_off"]) == (None, True)
    assert await to_tell() == [("hearing_date", "2026-03-01")]  # of the other she never heard
    assert (await refused(desk.post(f"/cases/{case_id}/hearing-off", {"step": told})))[0] == 409
    assert (await refused(desk.post(f"/cases/{case_id}/told", {"step": untold, "outcome": "not_safe"})))[0] == 409
    by_word = {"step": told, "outcome": "told", "how": "by_her_word"}  # which nobody has said here
    assert (await refused(desk.post(f"/cases/{case_id}/told", by_word)))[0] == 409
    (registered_at,) = [one["step"] for one in (await desk.get(f"/cases/{case_id}/to-tell"))["steps"] if not one["is_off"]]
    for wrong in (registered_at, 10**6):
        assert (await refused(desk.post(f"/cases/{case_id}/hearing-off", {"step": wrong})))[0] == 409
    await desk.post(f"/cases/{case_id}/told", {"step": told, "outcome": "told", "how": "when_she_came"})
    assert await to_tell() == []
    await hearing("2026-03-01", occurred_at=world.clock.now().isoformat())  # it is on that day after all
    assert await to_tell() == [("hearing_date", None)]
    await world.settle()
    worker = await world["social_welfare"].sign_in("worker")
    (theirs,) = (await worker.get("/cases"))["items"]
    lines = (await worker.get(f"/cases/{theirs['id']}/timeline?limit=200"))["items"]
    assert sorted(one["detail"]["on_date"] for one in lines if one["kind"] == "case.hearing_off") == ["2026-03-01", "2026-03-02"]
    async with world["social_welfare"].database.read() as tx:
        days = select(col(Progress.on_date)).where(col(Progress.code) == "hearing_date").order_by(col(Progress.position))
        assert [str(day) for day in (await tx.session.execute(days)).scalars()] == ["None", "None", "2026-03-01"]
    async with world["health"].database.read() as tx:
        assert not list((await tx.session.execute(select(Progress))).scalars())


async def test_of_two_that_stand_for_one_day_one_may_go_and_the_day_holds(world: World) -> None:
    desk = await at_station(world)
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "social_welfare", "needs", "prog")
    await refer(desk, case_id, incident_id, "social_welfare")
    paths = [await registered(desk, case_id), await registered(desk, case_id, number="FIR/13/26", incident_id=incident_id)]
    day, held = {"code": "hearing_date", "hearing_on": "2026-03-01", "told_now": True}, []
    for path in paths:
        found = (await desk.post(f"{path}/steps", day))["steps"]
        held.append(next(one["step"] for one in found if one["hearing_on"] == "2026-03-01"))
        world.clock.advance(timedelta(minutes=1))
    twice = await refused(desk.post(f"{paths[0]}/steps", day))
    assert twice == (409, "This complaint has a hearing on that day already.")
    await desk.post(f"/cases/{case_id}/hearing-off", {"step": held[1]})
    complaints = (await desk.get(f"/cases/{case_id}/complaints"))["items"]
    steps = {one["step"]: one for complaint in complaints for one in complaint["steps"]}
    assert [steps[step]["is_off"] for step in held] == [False, True]
    assert (await off_to_tell(desk, case_id), await on_the_list(world)) == ([], 0), "she was told a day that holds"
    await world.settle()
    worker = await world["social_welfare"].sign_in("worker")
    (theirs,) = (await worker.get("/cases"))["items"]
    lines = (await worker.get(f"/cases/{theirs['id']}/timeline?limit=200"))["items"]
    assert "case.hearing_off" not in {one["kind"] for one in lines}, "the day holds"
    world.clock.advance(timedelta(minutes=1))
    await desk.post(f"/cases/{case_id}/hearing-off", {"step": held[0]})
    await world.settle()
    lines = (await worker.get(f"/cases/{theirs['id']}/timeline?limit=200"))["items"]
    assert [one["detail"]["on_date"] for one in lines if one["kind"] == "case.hearing_off"] == ["2026-03-01"]
    assert (await off_to_tell(desk, case_id), await on_the_list(world)) == (held, 2)


async def off_to_tell(desk: Desk, case_id: str) -> list[int]:
    """Hearings that she is to be told are off."""
    return sorted(one["step"] for one in (await desk.get(f"/cases/{case_id}/to-tell"))["steps"] if one["is_off"])


async def on_the_list(world: World) -> int:
    """How many of them stand on the work list of the desk."""
    officer = Actor(new_id(), "officer", Role.OFFICER, STATION)
    async with world["police"].database.read() as tx:
        lines, _count = await to_tell(tx, world["police"].here, officer)
    return sum(step.code == "case.hearing_off" for line in lines for step in line.steps)


async def test_who_was_told_a_day_just_as_it_was_taken_off_is_told_that_it_does_not_hold(world: World) -> None:
    desk = await at_station(world)
    case_id, _incident = await open_case(desk)
    path = await registered(desk, case_id, told_now=True)
    found = (await desk.post(f"{path}/steps", {"code": "hearing_date", "hearing_on": "2026-03-01"}))["steps"]
    step = next(one["step"] for one in found if one["hearing_on"])
    told = {"step": step, "outcome": "told", "how": "when_she_came"}
    assert (await refused(desk.post(f"/cases/{case_id}/told", {**told, "is_off": True})))[0] == 409
    await desk.post(f"/cases/{case_id}/hearing-off", {"step": step})
    assert (await desk.get(f"/cases/{case_id}/to-tell"))["steps"] == []  # as far as the desk knows she never heard of it
    assert (await refused(desk.post(f"/cases/{case_id}/told", told)))[0] == 409
    said = await desk.post(f"/cases/{case_id}/told", {**told, "is_off": False})  # by the page that was open before
    assert said["is_off"] is False
    (waits,) = (await desk.get(f"/cases/{case_id}/to-tell"))["steps"]
    assert (waits["step"], waits["is_off"], waits["was_on"]) == (step, True, "2026-03-01")
    assert (await refused(desk.post(f"/cases/{case_id}/told", {**told, "is_off": False})))[0] == 409
    await desk.post(f"/cases/{case_id}/told", {**told, "is_off": True})
    assert (await desk.get(f"/cases/{case_id}/to-tell"))["steps"] == []
    assert (await refused(desk.post(f"/cases/{case_id}/told", told)))[0] == 409


async def test_the_same_word_of_the_same_moment_is_refused_and_not_swallowed(world: World) -> None:
    desk = await at_station(world)
    case_id, _incident = await open_case(desk)
    path, at = await registered(desk, case_id), world.clock.now().isoformat()
    for minute in range(2):
        world.clock.advance(timedelta(minutes=minute))
        found = (await desk.post(f"{path}/steps", {"code": "hearing_date", "hearing_on": "2026-03-01"}))["steps"]
        step = next(one["step"] for one in found if one["hearing_on"] == "2026-03-01")
        off = {"step": step, "occurred_at": at}
        if minute:
            assert (await refused(desk.post(f"/cases/{case_id}/hearing-off", off)))[0] == 409
            off = {"step": step}
        assert (await desk.post(f"/cases/{case_id}/hearing-off", off))["is_off"]


LATE = [
    ("steps", {"code": "statement_taken", "occurred_at": "2026-01-04T14:00:00Z"}),
    ("withdrawals", {**WITHDRAWN, "occurred_at": "2026-01-04T15:00:00Z"}),
    ("reopenings", {"reason": "was_pressed", "occurred_at": "2026-01-04T16:00:00Z"}),
]


async def test_facts_that_are_entered_late_end_the_same_in_any_order(world: World) -> None:
    desk = await at_station(world)
    found = []
    for number, order in enumerate((LATE, LATE[::-1], [LATE[2], LATE[0], LATE[1]])):
        case_id, _incident = await open_case(desk)
        path = await registered(desk, case_id, number=f"FIR/{number}/26", occurred_at="2026-01-04T13:30:00Z")
        for where, body in order:
            view = await desk.post(f"{path}/{where}", body)
        found.append((view["state"], view["gaps"], [(one["code"], one["occurred_at"], one["said"]) for one in view["steps"]]))
    assert [one == found[0] for one in found] == [True] * 3
    state, gaps, steps = found[0]
    assert (state, gaps) == ("open", [])
    assert [code for code, _at, _said in steps] == [
        "complaint_registered", "statement_taken", "complaint_withdrawn", "complaint_reopened",
    ]  # fmt: skip
    assert steps[2][2] == WITHDRAWN
    late = {**WITHDRAWN, "occurred_at": "2024-01-04T15:00:00Z"}
    assert (await refused(desk.post(f"{path}/withdrawals", late)))[0] == 422


async def test_withdrawing_touches_no_referral_and_no_consent(world: World) -> None:
    desk = await at_station(world)
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health", "fb", "needs")
    referral = await refer(desk, case_id, incident_id, "health")
    await world.settle()
    path = await registered(desk, case_id)

    async def of_hers(agency: str) -> list[Any]:
        async with world[agency].database.read() as tx:
            rows = [*(await tx.session.execute(select(Referral))).scalars(), *(await tx.session.execute(select(Consent))).scalars()]
            return [row.model_dump() for row in rows]

    before = {agency: await of_hers(agency) for agency in ("police", "health")}
    view = await desk.post(f"{path}/withdrawals", WITHDRAWN)
    await world.settle()
    assert view["state"] == "withdrawn"
    assert {agency: await of_hers(agency) for agency in before} == before
    nurse = await world["health"].sign_in("nurse")
    await nurse.post(f"/referrals/{referral['id']}/arrive", {"feedback": True})
    await world.settle()
    assert (await desk.get(f"/referrals/{referral['id']}"))["status"] == "arrived"
    assert "withdrawn" not in str(await nurse.get(f"/referrals/{referral['id']}"))
    assert (await refused(desk.post(f"{path}/withdrawals", {**WITHDRAWN, "is_safe": None})))[0] == 422


async def test_she_is_told_by_her_safe_way_only_and_never_called_by_default(world: World) -> None:
    desk = await at_station(world)
    case_id, _incident = await open_case(desk)
    path = await registered(desk, case_id, told_now=True)
    view = await desk.post(f"{path}/steps", {"code": "charged"})
    (step,) = (await desk.get(f"/cases/{case_id}/to-tell"))["steps"]
    assert (await desk.get(f"/cases/{case_id}/to-tell"))["safe_hours"] is None
    assert step["code"] == "charged"
    assert [one["told"] for one in view["steps"]] == ["told", None]
    told = {"step": step["step"], "outcome": "told", "how": "in_safe_hours"}
    assert (await refused(desk.post(f"/cases/{case_id}/told", told)))[0] == 409
    agreed = await desk.post(
        "/cases", {"relay": {"safe_hours": "morning"}, "safety": {"safe_to_return": "no", "alone_on_phone": "yes"}}
    )
    other = await registered(desk, agreed["id"], number="FIR/13/26")
    await desk.post(f"{other}/steps", {"code": "verdict"})
    waiting = await desk.get(f"/cases/{agreed['id']}/to-tell")
    assert waiting["safe_hours"] == "morning"
    first, second = (one["step"] for one in waiting["steps"])
    await desk.post(f"/cases/{agreed['id']}/told", {"step": first, "outcome": "told", "how": "in_safe_hours"})
    assert (await refused(desk.post(f"/cases/{agreed['id']}/told", {**told, "step": first})))[0] == 409
    await desk.post(f"/cases/{agreed['id']}/told", {"step": second, "outcome": "not_safe"})
    waiting = await desk.get(f"/cases/{agreed['id']}/to-tell")
    assert (waiting["safe_hours"], [one["told"] for one in waiting["steps"]]) == (None, ["not_safe"])
    await desk.post(f"/cases/{agreed['id']}/told", {"step": second, "outcome": "told", "how": "when_she_came"})
    assert (await desk.get(f"/cases/{agreed['id']}/to-tell"))["steps"] == []
    assert (await refused(desk.post(f"/cases/{case_id}/told", {**told, "step": second})))[0] == 409, "a step of another case"


async def test_a_step_recorded_on_the_case_itself_belongs_to_the_only_complaint_and_is_to_be_told(world: World) -> None:
    desk = await at_station(world)
    case_id, incident_id = await open_case(desk)
    await registered(desk, case_id, told_now=True)
    await desk.post(f"/cases/{case_id}/progress", {"code": "complaint_withdrawn"})
    (one,) = (await desk.get(f"/cases/{case_id}/complaints"))["items"]
    assert one["state"] == "withdrawn"
    assert [s["code"] for s in (await desk.get(f"/cases/{case_id}/to-tell"))["steps"]] == ["complaint_withdrawn"]
    assert (await refused(desk.post(f"/cases/{case_id}/complaints", {})))[0] == 409, "one of the whole case is registered"
    await desk.post(f"/cases/{case_id}/complaints", {"incident_id": incident_id})
    assert await refused(desk.post(f"/cases/{case_id}/complaints", {"incident_id": incident_id})) == (
        409, "A complaint of this is registered already; add to that one.",
    )  # fmt: skip
    elsewhere, _incident = await open_case(desk)
    assert await refused(registered(desk, elsewhere)) == (409, "Another complaint has this number; look it up in the register.")


async def test_legal_information_is_a_recorded_act_with_language_interpreter_and_post(world: World) -> None:
    desk = await at_station(world)
    case_id, _incident = await open_case(desk)
    said = {"topics": ["may_withdraw", "costs", "costs"], "language": "bem", "interpreter": False, "post": "duty_officer"}
    kept = await desk.post(f"/cases/{case_id}/legal-information", said)
    assert (kept["topics"], kept["post"]) == (["costs", "may_withdraw"], "duty_officer")
    assert (await desk.get(f"/cases/{case_id}/legal-information"))["items"] == [kept]
    assert (await refused(desk.post(f"/cases/{case_id}/legal-information", {**said, "post": "duty_nurse"})))[0] == 409
    assert (await refused(desk.post(f"/cases/{case_id}/legal-information", {**said, "topics": []})))[0] == 422
    async with world["police"].database.read() as tx:
        assert "complaint" in (await tx.session.execute(select(col(CaseRead.what)))).scalars().all()


async def test_a_breach_alarms_the_post_above_the_desk_and_no_mediation_has_an_outcome(world: World) -> None:
    desk = await at_station(world)
    case_id, _incident = await open_case(desk)
    posts = world["police"].here.facility(STATION).posts
    for code, rules in (
        ("mediation_attempted", ["no_mediation"]),
        ("police_report_demanded", ["care_first"]),
        ("fee_demanded", []),
    ):
        kept = await desk.post(f"/cases/{case_id}/breaches", {"code": code, "by_whom": "community"})
        assert kept["rules"] == rules
        async with world["police"].database.read() as tx:
            (alarm,) = (await tx.session.execute(select(Alarm).where(col(Alarm.about) == UUID(kept["id"])))).scalars()
        assert (alarm.kind, alarm.post) == ("breach", posts[1])
        assert code not in str(alarm.detail)
    assert (await refused(desk.post(f"/cases/{case_id}/breaches", {"code": "mediated", "by_whom": "police"})))[0] == 422
    for agency in world.agencies.values():
        spoken_of = set(re.findall(r"\w*mediat(?!e)\w*", str(agency.app.openapi()).lower()))
        assert spoken_of <= {"mediation_attempted", "mediations_attempted", "mediations"}, agency.here.agency


async def test_figures_count_withdrawals_with_pressure_beside_settlement_and_open_no_case(world: World) -> None:
    desk = await at_station(world)
    for number, answers in enumerate((WITHDRAWN, {"asked_by": "she", "pressure": "no", "asked_alone": False}, None)):
        case_id, _incident = await open_case(desk)
        path = await registered(desk, case_id, number=f"FIR/{number}/26")
        if answers is not None:
            await desk.post(f"{path}/withdrawals", answers)
        else:
            await desk.post(f"/cases/{case_id}/progress", {"code": "complaint_withdrawn"})
    await desk.post(f"{path}/reopenings", {"reason": "she_asks"})
    await desk.post(f"/cases/{case_id}/progress", {"code": "pressure_to_settle"})
    await desk.post(f"/cases/{case_id}/breaches", {"code": "mediation_attempted", "by_whom": "family"})
    await desk.post(f"/cases/{case_id}/breaches", {"code": "police_report_demanded", "by_whom": "health"})
    month = f"{world.clock.now():%Y-%m}"
    assert (await refused(desk.get(f"/complaints/figures?month={month}")))[0] == 403
    lead = await at_station(world, "lead", Role.SUPERVISOR)
    async with world["police"].database.read() as tx:
        looks = len((await tx.session.execute(select(CaseRead))).scalars().all())
    found = await lead.get(f"/complaints/figures?month={month}")
    assert {name: found[name] for name in ("registered", "withdrawn", "asked_alone", "not_safe", "reopened")} == {
        "registered": 3, "withdrawn": 3, "asked_alone": 1, "not_safe": 1, "reopened": 1,
    }  # fmt: skip
    by = {(one["asked_by"], one["pressure"]): one["count"] for one in found["withdrawn_by"] if one["count"]}
    assert by == {("family", "yes"): 1, ("she", "no"): 1, ("not_known", "unknown"): 1}
    assert found["withdrawn_where"] == {"court": 1, "station": 0, "not_known": 2}
    assert (found["pressure_to_settle"], found["mediations_attempted"], found["breaches"]["police_report_demanded"]) == (1, 1, 1)
    async with world["police"].database.read() as tx:
        assert len((await tx.session.execute(select(CaseRead))).scalars().all()) == looks
    elsewhere = await world["police"].sign_in("other-lead", Role.SUPERVISOR, "masaiti_vsu")
    assert (await elsewhere.get(f"/complaints/figures?month={month}"))["withdrawn"] == 0
    world.clock.advance(timedelta(days=70))
    assert (await lead.get(f"/complaints/figures?month={world.clock.now():%Y-%m}"))["withdrawn"] == 0
