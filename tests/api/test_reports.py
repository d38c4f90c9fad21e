"""A medical report through the API: its way between two agencies, its clocks, its envelope, and what is told of it to whom."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from agencies import Desk, Refused, World, consent, open_case, refer
from counting import lead, seen
from reports import (
    CLINIC,
    EXAMINED,
    FORM,
    OLD,
    READY,
    SIGNED,
    STATION,
    TAKEN,
    TO_DESK,
    asked,
    nurse,
    officer,
    report_at,
    step,
    with_limits,
)
from sqlalchemy import select
from sqlmodel import col

from shared.casework.alarms.tables import Alarm
from shared.casework.cases.tables import Case
from shared.contracts.casework.codes import Role
from shared.exchange.tables import OutboxRow


async def refused(work: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as error:
        await work
    return error.value.status, error.value.problem["detail"]


async def words_out(world: World, agency: str = "health") -> list[dict[str, Any]]:
    async with world[agency].database.read() as tx:
        query = select(OutboxRow).where(col(OutboxRow.type) == "report.moved").order_by(col(OutboxRow.position))
        return [row.data or {} for row in (await tx.session.execute(query)).scalars()]


async def open_alarms(world: World, agency: str) -> list[str]:
    async with world[agency].database.read() as tx:
        query = select(col(Alarm.kind)).where(col(Alarm.resolved_at).is_(None)).order_by(col(Alarm.kind))
        return [kind for kind in (await tx.session.execute(query)).scalars() if kind.startswith(("report", "breach"))]


async def figures_of(desk: Desk, facility: str, month: str) -> Any:
    found = (await desk.get(f"/reports/figures?month={month}"))["items"]
    return next(one for one in found if one["facility"] == facility)


async def test_a_report_goes_its_way_and_the_desk_hears_how_it_stands(world: World) -> None:
    with_limits(world)
    desk, clinic = await officer(world), await nurse(world)
    case_id, rid = await asked(world, desk, "fb")
    await clinic.post(f"/referrals/{rid}/arrive", {"feedback": True})
    for body in (EXAMINED, SIGNED, READY):
        world.clock.advance(timedelta(minutes=5))
        view = await step(clinic, rid, body)
    code = view["custody_code"]
    await world.settle()
    theirs = await report_at(desk, rid)
    assert (theirs["status"], theirs["custody_code"], theirs["gaps"]) == ("ready", code, [])
    assert [(one["step"], one["is_own"]) for one in theirs["facts"]] == [("examined", False), ("signed", False), ("ready", False)]
    assert "Canary" not in str(theirs)
    await step(clinic, rid, TO_DESK)
    taken = await step(desk, rid, TAKEN, custody_code=code, **FORM)
    await world.settle()
    here, there = await report_at(clinic, rid), await report_at(desk, rid)
    assert (here["status"], there["status"], taken["gaps"], there["gaps"]) == ("collected", "collected", [], [])
    assert {name for one in here["facts"] for name in (one["said"].get("name"), one["said"].get("other_name")) if name} == {
        "Canary Examiner", "Canary Signer", "Canary Hander", "Canary Taker",
    }  # fmt: skip
    assert "Canary" not in str(await words_out(world))
    assert await open_alarms(world, "police") == await open_alarms(world, "health") == []
    steps = [one["detail"].get("code") for one in (await desk.get(f"/cases/{case_id}/timeline"))["items"]]
    assert "medical_report_received" in steps
    assert (await clinic.get("/reports"))["items"] == (await desk.get("/reports"))["items"] == []


@pytest.mark.parametrize(("at_desk", "at_clinic"), [(True, False), (False, True), (True, None)])
async def test_without_her_yes_at_both_ends_nothing_is_told(world: World, at_desk: bool, at_clinic: bool | None) -> None:
    with_limits(world)
    desk, clinic = await officer(world), await nurse(world)
    _case, rid = await asked(world, desk, *(["fb"] if at_desk else []))
    await clinic.post(f"/referrals/{rid}/arrive", {} if at_clinic is None else {"feedback": at_clinic})
    for body in (EXAMINED, SIGNED, READY, TO_DESK):
        await step(clinic, rid, body, occurred_at=(world.clock.now()).isoformat())
        world.clock.advance(timedelta(minutes=1))
    await world.settle()
    assert await words_out(world) == []
    theirs = await report_at(desk, rid)
    assert (theirs["status"], theirs["facts"]) == ("requested", [])
    kept = await report_at(clinic, rid)
    assert not any(one["is_told"] for one in kept["facts"])
    # The desk still takes what she lets it take, hand to hand, and its own record ends known.
    assert (await step(desk, rid, TAKEN, custody_code=kept["custody_code"]))["status"] == "collected"


async def test_a_late_yes_tells_what_was_kept_back_with_its_own_times(world: World) -> None:
    with_limits(world)
    desk, clinic = await officer(world), await nurse(world)
    _case, rid = await asked(world, desk, "fb")
    await clinic.post(f"/referrals/{rid}/arrive")
    examined = await step(clinic, rid, EXAMINED)
    world.clock.advance(timedelta(hours=3))
    await step(clinic, rid, SIGNED)
    await world.settle()
    assert await words_out(world) == []
    await clinic.post(f"/referrals/{rid}/start", {"feedback": True})
    await world.settle()
    theirs = await report_at(desk, rid)
    assert [one["step"] for one in theirs["facts"]] == ["examined", "signed"]
    assert theirs["facts"][0]["occurred_at"] == examined["facts"][0]["occurred_at"]


async def test_nothing_is_told_under_a_consent_that_was_taken_back(world: World) -> None:
    with_limits(world)
    desk, clinic = await officer(world), await nurse(world)
    case_id, rid = await asked(world, desk, "fb")
    await clinic.post(f"/referrals/{rid}/arrive", {"feedback": True})
    await step(clinic, rid, EXAMINED)
    for given in (await desk.get(f"/cases/{case_id}/consents"))["items"]:
        await desk.take_back(case_id, given)
    await world.settle()
    view = await step(clinic, rid, SIGNED, **FORM)  # her record of care stays, and the report is hers to use
    await world.settle()
    assert (view["status"], view["form"]) == ("signed", None)
    assert await words_out(world) == [{}]  # that she was examined had not left


async def test_facts_of_paper_end_the_same_in_any_order(world: World) -> None:
    with_limits(world)
    desk, clinic = await officer(world), await nurse(world)
    start = world.clock.now()
    world.clock.advance(timedelta(hours=12))
    bodies = [
        {**body, "occurred_at": (start + timedelta(hours=2 + n)).isoformat(), "entered_for": CLINIC}
        for n, body in enumerate((EXAMINED, SIGNED, {**READY, "custody_code": "M-7KQ4RT"}, TO_DESK))
    ]
    found = []
    for order in list(permutations(bodies))[::11]:
        _case, rid = await asked(world, desk)
        for body in order:
            view = await step(clinic, rid, body)
        facts = [(one["step"], one["occurred_at"], one["entered_for"]) for one in view["facts"]]
        found.append((view["status"], view["gaps"], view["signed_at"], facts))
    assert [one == found[0] for one in found] == [True] * len(found)
    assert found[0][:2] == ("collected", [])
    again = {**bodies[0]}
    assert await refused(step(clinic, rid, again)) == (409, "This stands here already, with the same time.")


async def test_an_old_form_is_handed_back_in_one_tap_and_the_right_one_is_named(world: World) -> None:
    with_limits(world)
    desk, clinic = await officer(world), await nurse(world)
    _case, rid = await asked(world, desk, "fb", form=OLD)
    await clinic.post(f"/referrals/{rid}/arrive", {"feedback": True})
    before = await report_at(clinic, rid)
    assert (before["form_wrong"], before["right_form"], before["right_form_version"]) == ("old_version", "zp_form_32", 2)
    status, why = await refused(step(clinic, rid, SIGNED))
    assert status == 409
    assert "version 2" in why
    await step(clinic, rid, EXAMINED)  # the paper holds up nobody
    back = await step(clinic, rid, {"step": "handed_back"})
    await world.settle()
    theirs = await report_at(desk, rid)
    assert back["status"] == theirs["status"] == "handed_back"
    assert theirs["facts"][-1]["said"] == {"reason_code": "old_version", **FORM}
    assert [one["section"] for one in (await desk.get("/reports"))["items"]] == ["back"]
    world.clock.advance(timedelta(minutes=1))
    assert (await step(clinic, rid, SIGNED, **FORM))["status"] == "signed"
    status, why = await refused(step(desk, rid, TAKEN, custody_code="M-7KQ4RT", form_version=1))
    assert (status, "version 2" in why) == (409, True)
    assert (await refused(step(clinic, rid, {"step": "handed_back", **FORM})))[0] == 409


async def test_who_may_sign_is_said_by_the_form(world: World) -> None:
    staff = list(world["health"].here.programme.staff)[:2]
    with_limits(world, signers=tuple(staff))
    desk, clinic = await officer(world), await nurse(world)
    _case, rid = await asked(world, desk)
    assert (await refused(step(clinic, rid, SIGNED)))[0] == 422
    assert (await refused(step(clinic, rid, SIGNED, signed_as="porter")))[0] == 422
    assert (await step(clinic, rid, SIGNED, signed_as=staff[1]))["gaps"] == ["not_examined"]


async def test_one_document_goes_to_one_holder_by_her_yes_or_a_courts_order(world: World) -> None:
    with_limits(world)
    desk, clinic = await officer(world), await nurse(world)
    _case, rid = await asked(world, desk)
    for body in (EXAMINED, SIGNED, READY):
        await step(clinic, rid, body)
    no_ground = {name: value for name, value in TO_DESK.items() if name not in {"ground", "how"}}
    assert (await refused(step(clinic, rid, no_ground)))[0] == 422
    assert (await refused(step(clinic, rid, {**TO_DESK, "how": "none_unconscious"})))[0] == 422
    assert (await refused(step(clinic, rid, {**no_ground, "ground": "court_order"})))[0] == 422
    assert (await refused(step(clinic, rid, {**TO_DESK, "other_post": "nobody_there"})))[0] == 422
    world.clock.advance(timedelta(minutes=1))
    hers = {"step": "collected", "post": "duty_nurse", "holder": "herself"}
    assert (await step(clinic, rid, hers))["gaps"] == []
    await clinic.post(f"/referrals/{rid}/arrive", {"feedback": True})
    await world.settle()
    # What she took herself is not in the desk's hand: its report waits on, and it is not told whose hand it is in.
    assert (await step(desk, rid, {"step": "held"}))["status"] != "collected"
    world.clock.advance(timedelta(minutes=1))
    order = {**no_ground, "holder": "court", "ground": "court_order", "order": "C 12/26"}
    del order["other_post"]
    assert (await step(clinic, rid, order))["gaps"] == ["collected_twice"]
    assert await open_alarms(world, "health") == ["report_custody"]
    assert (await refused(step(desk, rid, {**TAKEN, "holder": "desk"})))[0] == 422


async def test_another_code_on_the_envelope_is_shown_and_alarmed(world: World) -> None:
    with_limits(world)
    desk, clinic = await officer(world), await nurse(world)
    _case, rid = await asked(world, desk, "fb")
    await clinic.post(f"/referrals/{rid}/arrive", {"feedback": True})
    for body in (EXAMINED, SIGNED, {**READY, "custody_code": "M-7KQ4RT"}):
        await step(clinic, rid, body)
    await world.settle()
    taken = await step(desk, rid, TAKEN, custody_code="M-ZZZZZZ")
    assert taken["gaps"] == ["codes_differ"]
    assert await open_alarms(world, "police") == ["report_custody"]


async def test_what_is_due_before_the_remand_limit_stands_first_and_is_alarmed_once(world: World) -> None:
    with_limits(world)
    desk, clinic = await officer(world), await nurse(world)
    _case, rid = await asked(world, desk)
    other = (await asked(world, desk))[1]
    held = await step(desk, rid, {"step": "held"})
    assert held["limit_at"] is not None
    await world["police"].watcher.tick()
    assert await open_alarms(world, "police") == []
    assert [one["section"] for one in (await desk.get("/reports"))["items"]] == ["limit", "asked"]
    world.clock.advance(timedelta(days=7, minutes=1))
    for _tick in range(2):
        await world["police"].watcher.tick()
    assert await open_alarms(world, "police") == ["report_before_limit"]
    await world.settle()
    assert "held" not in str(await report_at(clinic, rid))
    assert (await report_at(clinic, rid))["limit_at"] is None
    inspector = await world["police"].sign_in("inspector", Role.SUPERVISOR, STATION)
    month = f"{world.clock.now():%Y-%m}"

    async def counts() -> dict[str, int]:
        return dict((await figures_of(inspector, STATION, month))["counts"])

    assert await counts() == {"medical_reports_requested": 2, "medical_reports_unsigned_at_limit": 0, "fees_charged": 0}
    world.clock.advance(timedelta(days=3))
    assert (await counts())["medical_reports_unsigned_at_limit"] == 1
    world.clock.advance(timedelta(minutes=1))
    assert (await step(desk, rid, {"step": "released"}))["limit_at"] is not None  # at the limit, because of it: it still counts
    assert (await step(desk, rid, TAKEN, custody_code="M-7KQ4RT"))["status"] == "collected"
    assert await open_alarms(world, "police") == []
    assert (await counts())["medical_reports_unsigned_at_limit"] == 1
    early = await step(desk, other, {"step": "held"}, occurred_at=(world.clock.now() - timedelta(days=1)).isoformat())
    assert early["limit_at"] is not None
    assert (await step(desk, other, {"step": "released"}))["limit_at"] is None


async def test_a_fee_on_what_is_free_is_a_breach_and_counted(world: World) -> None:
    with_limits(world)
    desk, clinic = await officer(world), await nurse(world)
    _case, rid = await asked(world, desk)
    view = await step(clinic, rid, {"step": "fee_asked", "amount": 40})
    await step(clinic, rid, {"step": "fee_paid", "amount": 40})
    await step(clinic, rid, {"step": "travelled", "who": "signer", "mode": "motorcycle", "km": 30})
    assert [one["said"].get("is_breach") for one in view["facts"]] == [True]
    assert await open_alarms(world, "health") == ["breach"]
    for body in (EXAMINED, SIGNED):
        world.clock.advance(timedelta(hours=6))
        await step(clinic, rid, body)
    head = await nurse(world, "head-nurse", Role.SUPERVISOR)
    one = await figures_of(head, CLINIC, f"{world.clock.now():%Y-%m}")
    assert one == {
        "facility": CLINIC, "counts": {"medical_reports_signed": 1, "fees_charged": 1}, "until_signed_median_h": 12.0,
    }  # fmt: skip
    told = {name: (await seen(await lead(world[name]))).hours("sign_time") for name in ("health", "police")}
    assert told == {"health": [12.0], "police": None}, "how long it took is counted where it is signed"
    assert (await refused(clinic.get("/reports/figures?month=2026-01")))[0] == 403
    with_limits(world, fee=None)
    desk, clinic = await officer(world, "desk-2"), await nurse(world, "nurse-2")
    free = (await asked(world, desk))[1]
    assert (await step(clinic, free, {"step": "fee_asked", "amount": 40}))["facts"][0]["said"]["is_breach"] is False


async def test_of_a_report_that_nobody_asked_for_nobody_is_told(world: World) -> None:
    with_limits(world)
    desk, clinic = await officer(world), await nurse(world)
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health", "needs", "fb")
    rid = (await refer(desk, case_id, incident_id, "health"))["id"]
    await world.settle()
    await clinic.post(f"/referrals/{rid}/arrive", {"feedback": True})
    await step(clinic, rid, EXAMINED)
    await world.settle()
    assert await words_out(world) == []
    assert (await refused(report_at(desk, rid)))[0] == 409


async def test_her_no_to_being_counted_leaves_her_out(world: World) -> None:
    with_limits(world)
    desk = await officer(world)
    case_id, _rid = await asked(world, desk)
    async with world["police"].database.write() as tx:
        case = (await tx.session.execute(select(Case))).scalar_one()
        assert str(case.id) == case_id
        case.not_counted = True
    inspector = await world["police"].sign_in("inspector", Role.SUPERVISOR, STATION)
    one = await figures_of(inspector, STATION, f"{world.clock.now():%Y-%m}")
    assert one["counts"]["medical_reports_requested"] == 0


async def test_a_report_without_a_request_has_its_way_too_and_tells_nobody(world: World) -> None:
    with_limits(world)
    desk, clinic = await officer(world), await nurse(world)
    case_id, _incident = await open_case(clinic)
    assert (await refused(clinic.post(f"/cases/{case_id}/reports", OLD)))[0] == 409
    report = await clinic.post(f"/cases/{case_id}/reports", FORM)
    for body in (EXAMINED, SIGNED, READY, {"step": "collected", "post": "duty_nurse", "holder": "herself"}):
        view = await clinic.post(f"/reports/{report['id']}/steps", body)
        world.clock.advance(timedelta(minutes=1))
    assert (view["status"], view["gaps"]) == ("collected", [])
    assert await words_out(world) == []
    assert (await refused(desk.get(f"/reports/{report['id']}")))[0] == 404
    assert (await refused(clinic.post(f"/reports/{report['id']}/steps", {"step": "held"})))[0] == 409


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)  # a backup is a file
async def test_a_restored_clinic_and_a_restored_desk_know_again_how_it_stands(world: World) -> None:
    with_limits(world)
    desk, clinic = await officer(world), await nurse(world)
    images = {agency: await world.back_up(agency) for agency in ("police", "health")}
    _case, rid = await asked(world, desk, "fb")
    await clinic.post(f"/referrals/{rid}/arrive", {"feedback": True})
    for body in (EXAMINED, SIGNED):
        world.clock.advance(timedelta(minutes=1))
        await step(clinic, rid, body)
    await world.settle()
    for agency, image in images.items():
        await world.restore(agency, image)
        await world.settle_restored()
    for one in (Desk(world["police"].client, desk.token), Desk(world["health"].client, clinic.token)):
        view = await report_at(one, rid)
        assert [fact["step"] for fact in view["facts"]] == ["examined", "signed"]
        assert view["status"] == "signed"


async def test_reports_that_nobody_took_long_ago_keep_no_desk_from_being_warned(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.casework.reports.watch.BATCH", 2)
    with_limits(world)
    desk = await officer(world)
    reports = []
    for _ in range(3):
        _case, rid = await asked(world, desk)
        await step(desk, rid, {"step": "held"})
        reports.append(rid)
    world.clock.advance(timedelta(days=8))
    await world["police"].watcher.tick()
    assert (await open_alarms(world, "police")).count("report_before_limit") == len(reports)


async def test_a_limit_that_passed_days_ago_does_not_stand_first_for_ever(world: World) -> None:
    with_limits(world)
    desk = await officer(world)
    _case, rid = await asked(world, desk)
    await step(desk, rid, {"step": "held"})
    world.clock.advance(timedelta(days=9))
    assert [one["section"] for one in (await desk.get("/reports"))["items"]] == ["limit"]
    world.clock.advance(timedelta(days=3))
    assert [one["section"] for one in (await desk.get("/reports"))["items"]] == ["asked"]
