"""Plans, visits, returns and outreach through the API: her word decides, nothing of it leaves, nothing closes by itself."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from agencies import Desk, TestAgency, World, consent, open_case, refer
from sqlalchemy import func, select
from sqlmodel import col

from services.social_welfare.assignments.views import today
from services.social_welfare.returns.domain import Question
from shared.casework.accounts.commands import find_account
from shared.casework.alarms.tables import Alarm
from shared.casework.here import Actor
from shared.contracts.casework.codes import Role
from shared.exchange.tables import OutboxRow
from shared.programmes.vocabulary import ActNeeds

OFFICE = "ndola_district_office"
STEP = {"what": "go_with_her", "who": "worker", "due_on": "2026-02-01", "note": "Synthetic step."}
PLAN: dict[str, Any] = {"needs": ["safety", "legal"], "review_on": "2026-02-05", "note": "Synthetic."}
SPOKEN = {"how": "spoken", "language": "bem"}


async def at_office(world: World) -> tuple[Desk, str]:
    """A worker, and a case that the police sent, with messages allowed."""
    desk = await world["police"].sign_in("officer")
    worker = await world["social_welfare"].sign_in("worker", facility=OFFICE)
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "social_welfare", "needs", "relay")
    await refer(desk, case_id, incident_id, "social_welfare")
    await world.settle()
    (case,) = (await worker.get("/cases"))["items"]
    return worker, case["id"]


async def said(world: World) -> int:
    """How many words the office has said to anybody."""
    async with world["social_welfare"].database.read() as tx:
        return int((await tx.session.execute(select(func.count()).select_from(OutboxRow))).scalar_one())


async def status(desk: Desk, path: str, body: Any) -> tuple[int, str]:
    answer = await desk.ask("POST", path, body)
    return answer.status_code, str(answer.json().get("detail", ""))


async def test_a_plan_is_kept_version_by_version_and_is_in_force_only_as_she_agreed(world: World) -> None:
    worker, case_id = await at_office(world)
    before = await said(world)
    path = f"/cases/{case_id}/plan"
    plan = await worker.post(path, {**PLAN, "steps": [STEP], "after": 0})
    assert (plan["in_force"], plan["versions"][0]["changed"]) == (None, ["needs", "steps", "review_on", "note"])
    plan = await worker.post(f"{path}/answer", {"number": 1, "agrees": True, **SPOKEN})
    assert (plan["in_force"], plan["versions"][0]["answer"]["language"]) == (1, "bem")
    step = plan["versions"][0]["content"]["steps"][0]
    new = {"what": "safety_plan", "who": "she"}
    plan = await worker.post(path, {**PLAN, "steps": [step, new], "after": 1})
    assert (plan["in_force"], plan["versions"][1]["changed"]) == (1, ["steps"])
    assert plan["versions"][1]["content"]["steps"][0]["id"] == step["id"]
    # Somebody who looked at version 1 does not write over version 2, nor is she asked about what is no longer the last.
    assert (await status(worker, path, {**PLAN, "after": 1}))[0] == 409
    assert (await status(worker, f"{path}/answer", {"number": 1, "agrees": True, **SPOKEN}))[0] == 409
    plan = await worker.post(f"{path}/answer", {"number": 2, "agrees": False, **SPOKEN})
    assert plan["in_force"] == 1  # her no leaves the one before
    assert (await status(worker, f"{path}/close", {"why": "goals_reached"}))[0] == 409  # a step is open
    plan = await worker.post(f"{path}/close", {"why": "goals_reached", "steps": [{"step": step["id"], "state": "done"}]})
    assert (plan["state"], plan["open_steps"]) == ("closed", [])
    assert (await worker.post(path, PLAN))["versions"][0]["number"] == 1  # another may be written: the case is open
    assert [one["state"] for one in (await worker.get(f"/cases/{case_id}/plans"))["items"]] == ["open", "closed"]
    assert await said(world) == before


async def test_a_step_is_marked_and_the_last_word_counts(world: World) -> None:
    worker, case_id = await at_office(world)
    path = f"/cases/{case_id}/plan"
    plan = await worker.post(path, {**PLAN, "steps": [STEP]})
    step = plan["versions"][0]["content"]["steps"][0]["id"]
    await worker.post(f"{path}/steps", {"step": step, "state": "not_possible"})
    assert (await worker.post(f"{path}/steps", {"step": step, "state": "done"}))["steps"] == {step: "done"}
    assert (await status(worker, f"{path}/steps", {"step": case_id, "state": "done"}))[0] == 409
    assert (await status(worker, path, {**PLAN, "steps": [{**STEP, "id": case_id}]}))[0] == 409
    assert (await status(worker, path, {**PLAN, "review_on": "2027-01-01"}))[0] == 409


HOME = {"kind": "home", "which": "follow_up", "due_on": "2026-01-12", "part": "morning", "knows": "duty_worker"}
SAFE = {"is_safe": True, "way": "at_home_alone", "hours": "morning", "language": "bem"}


def post_of(world: World) -> str:
    return next(iter(world["social_welfare"].here.posts(OFFICE)))


async def test_a_home_visit_is_planned_only_where_how_and_when_she_said_that_it_is_safe(world: World) -> None:
    worker, case_id = await at_office(world)
    home = {**HOME, "knows": post_of(world)}
    path, before = f"/cases/{case_id}/visits", await said(world)
    assert await status(worker, path, home) == (
        409, "Ask first, alone, whether a visit is safe, how and when; then plan it. Until then nobody goes there.",
    )  # fmt: skip
    await worker.post(f"/cases/{case_id}/visiting", SAFE)
    for wrong, why in (
        ({"part": "evening"}, "another time"),
        ({"kind": "elsewhere"}, "another way"),
        ({"knows": None}, "which post"),
    ):
        code, words = await status(worker, path, {**home, **wrong})
        assert (code, why in words) == (409, True), words
    made = await worker.post(path, home)
    assert (made["state"], made["kind"]) == ("made", "home")
    assert (await status(worker, path, home))[0] == 409
    # She says no: what was planned there is called off at once, the office stays.
    await worker.post(path, {"kind": "office", "due_on": "2026-01-13"})
    after = await worker.post(f"/cases/{case_id}/visiting", {"is_safe": False, "language": "bem"})
    assert [(v["kind"], v["state"]) for v in after["visits"]] == [("home", "called_off"), ("office", "made")]
    assert (await status(worker, f"/visits/{made['id']}/set-out", {"back_by": "2026-01-05T12:00:00Z"}))[0] == 409
    assert (await status(worker, path, home))[0] == 409
    assert await said(world) == before


async def test_a_word_that_is_entered_late_takes_nothing_back_of_what_she_has_said_since(world: World) -> None:
    worker, case_id = await at_office(world)
    home, path = {**HOME, "knows": post_of(world)}, f"/cases/{case_id}/visiting"
    early, late = ((world.clock.now() - timedelta(days=n)).isoformat() for n in (3, 2))
    await worker.post(path, {"is_safe": False, "language": "bem", "occurred_at": late})
    await worker.post(path, {**SAFE, "occurred_at": early})  # of a sheet from the day before her no
    assert (await status(worker, f"/cases/{case_id}/visits", home))[0] == 409
    await worker.post(path, SAFE)
    await worker.post(f"/cases/{case_id}/visits", home)
    after = await worker.post(path, {"is_safe": False, "language": "bem", "occurred_at": early})  # she has said yes since
    assert [v["state"] for v in after["visits"]] == ["made"]


async def test_a_worker_who_does_not_say_that_she_is_back_is_an_alarm_to_the_post_that_knows(world: World) -> None:
    worker, case_id = await at_office(world)
    agency = world["social_welfare"]
    post = agency.here.posts(OFFICE)[-1]
    await worker.post(f"/cases/{case_id}/visiting", SAFE)
    made = await worker.post(f"/cases/{case_id}/visits", {**HOME, "knows": post})
    soon = {"back_by": (world.clock.now() + timedelta(hours=2)).isoformat()}
    assert await status(worker, f"/visits/{made['id']}/set-out", soon) == (
        409, "This visit is for another day: go on that day, or make a visit for today.",
    )  # fmt: skip
    world.clock.advance(timedelta(days=7))  # the day that was agreed
    now = world.clock.now()
    for wrong in (now - timedelta(hours=1), now + timedelta(hours=25)):
        assert (await status(worker, f"/visits/{made['id']}/set-out", {"back_by": wrong.isoformat()}))[0] == 409
    await worker.post(f"/visits/{made['id']}/set-out", {"back_by": (now + timedelta(hours=2)).isoformat()})
    world.clock.advance(timedelta(hours=2))
    await agency.watcher.tick()
    assert [a for a in (await worker.get("/alarms"))["items"] if a["kind"] == "visit_overdue"] == [], "to the minute is in time"
    world.clock.advance(timedelta(seconds=1))
    await agency.watcher.tick()
    await agency.watcher.tick()
    (alarm,) = [a for a in (await worker.get("/alarms"))["items"] if a["kind"] == "visit_overdue"]
    assert (alarm["post"], alarm["about"]) == (post, made["id"])
    await worker.post(f"/visits/{made['id']}/back")
    assert (await status(worker, f"/visits/{made['id']}/back", {}))[0] == 409
    async with agency.database.read() as tx:
        row = (await tx.session.execute(select(Alarm).where(col(Alarm.kind) == "visit_overdue"))).scalar_one()
        assert row.resolved_at is not None


async def test_her_no_while_a_worker_is_out_turns_the_worker_back_and_what_was_found_there_is_an_alarm(world: World) -> None:
    worker, case_id = await at_office(world)
    agency, post = world["social_welfare"], world["social_welfare"].here.posts(OFFICE)[-1]
    path, said_path = f"/cases/{case_id}/visits", f"/cases/{case_id}/visiting"
    await worker.post(said_path, SAFE)
    visit = await worker.post(path, {**HOME, "due_on": "2026-01-05", "knows": post})
    back_by = (world.clock.now() + timedelta(hours=2)).isoformat()
    assert (await worker.post(f"/visits/{visit['id']}/set-out", {"back_by": back_by}))["turn_back"] is False

    async def open_alarms() -> dict[str, str]:
        return {a["kind"]: a["post"] for a in (await worker.get("/alarms?open=true"))["items"] if a["about"] == visit["id"]}

    world.clock.advance(timedelta(minutes=10))
    for word in ({"is_safe": False, "language": "bem"}, {**SAFE, "hours": "evening"}):
        (out,) = (await worker.post(said_path, word))["visits"]
        assert (out["state"], out["turn_back"], await open_alarms()) == ("made", True, {"visit_not_safe": post})
    async with agency.database.write() as tx:
        account = await find_account(tx, "worker")
        by = Actor(account.id, account.name, Role(account.role), account.facility)
        first = (await today(tx, agency.here, by))[0]
    assert (first.name, [row.case.id for row in first.rows]) == ("Turn back: a visit is not safe any more", [UUID(case_id)])
    (out,) = (await worker.post(said_path, SAFE))["visits"]  # she was asked again: it was not so
    assert (out["turn_back"], await open_alarms()) == (False, {})
    await worker.post(said_path, {"is_safe": False, "language": "bem"})
    await worker.post(f"/visits/{visit['id']}/back")
    assert await open_alarms() == {}
    await worker.post(f"/visits/{visit['id']}/answer", {"state": "kept", "outcome": "met_not_safe"})
    assert set(await open_alarms()) == {"met_not_safe"}


async def test_a_missed_visit_leads_to_nothing_but_a_message_through_whoever_sent_her(world: World) -> None:
    worker, case_id = await at_office(world)
    before = await said(world)
    visit = await worker.post(f"/cases/{case_id}/visits", {"due_on": "2026-01-06"})
    world.clock.advance(timedelta(days=2))
    await worker.post(f"/visits/{visit['id']}/answer", {"state": "missed"})
    await world["social_welfare"].watcher.tick()
    assert await said(world) == before
    assert [a["kind"] for a in (await worker.get("/alarms"))["items"] if a["about"] == visit["id"]] == []
    answer = {"state": "kept", "outcome": "met_and_safe", "note": "Synthetic."}
    assert (await worker.post(f"/visits/{visit['id']}/answer", answer))["outcome"] == {
        "outcome": "met_and_safe",
        "note": "Synthetic.",
    }


ANSWERS = {str(one): "no" for one in Question}


async def test_nobody_goes_back_without_the_questions_and_her_own_yes_after_them(world: World) -> None:
    worker, case_id = await at_office(world)
    path, before = f"/cases/{case_id}/returns", await said(world)
    assert (await status(worker, f"{path}/went", {}))[0] == 409  # nothing was asked
    assert (await worker.ask("POST", path, {"where": "family", "answers": {"threats_since": "no"}})).status_code == 422
    await worker.post(path, {"where": "family", "answers": ANSWERS})
    assert (await status(worker, f"{path}/went", {}))[0] == 409  # she was not
    early = (world.clock.now() - timedelta(days=1)).isoformat()
    assert (await status(worker, f"{path}/answer", {"agrees": True, **SPOKEN, "occurred_at": early}))[0] == 409
    await worker.post(f"{path}/answer", {"agrees": True, **SPOKEN})
    await worker.post(path, {"where": "family", "answers": {**ANSWERS, "threats_since": "yes"}})
    assert (await status(worker, f"{path}/went", {}))[0] == 409  # asked anew: her former yes was to something else
    await worker.post(f"{path}/answer", {"agrees": True, **SPOKEN})
    assert (await worker.post(f"{path}/went"))["state"] == "returned"
    visits = (await worker.get(f"/cases/{case_id}/visits"))["visits"]
    days = world["social_welfare"].here.programme.return_visit_days
    today = world["social_welfare"].here.day_of(world.clock.now())
    assert [(v["due_on"], v["which"], v["kind"]) for v in visits] == [
        ((today + timedelta(days=day)).isoformat(), "after_return", "office") for day in days
    ]
    assert await said(world) == before
    world.clock.advance(timedelta(days=20))
    await world["social_welfare"].watcher.tick()
    (row,) = (await worker.get(path))["items"]
    assert row["state"] == "returned"  # nothing ends it but a person
    assert (await worker.post(f"{path}/end", {"why": "safe_there"}))["state"] == "ended"


async def test_a_rule_of_the_programme_that_asks_for_more_is_heard(world: World) -> None:
    worker, case_id = await at_office(world)
    agency = world["social_welfare"]
    rules = dict(agency.here.programme.rules)
    for name, facts in (("as_in_bangladesh", ["she_agrees", "risk_checked"]), ("stricter", ["supervisor_agrees"])):
        rules[name] = ActNeeds.model_validate({"rule": "act_needs", "act": "return_to_family", "facts": facts, "source": "D"})
    strict = agency.here.programme.model_copy(update={"rules": rules})
    kind = agency.here.programme.model_copy(update={"rules": {name: one for name, one in rules.items() if name != "stricter"}})
    await worker.post(f"/cases/{case_id}/returns", {"where": "family", "answers": ANSWERS})
    await worker.post(f"/cases/{case_id}/returns/answer", {"agrees": True, **SPOKEN})
    for programme, expected in ((strict, 409), (kind, 200)):
        world.agencies["social_welfare"] = TestAgency(replace(agency.here, programme=programme), agency.parts, agency.database)
        there = Desk(world["social_welfare"].client, worker.token)
        assert (await status(there, f"/cases/{case_id}/returns/went", {}))[0] == expected


async def test_her_no_ends_a_return(world: World) -> None:
    worker, case_id = await at_office(world)
    await worker.post(f"/cases/{case_id}/returns", {"where": "community", "answers": ANSWERS})
    row = await worker.post(f"/cases/{case_id}/returns/answer", {"agrees": False, **SPOKEN})
    assert row["state"] == "not_agreed"
    assert (await status(worker, f"/cases/{case_id}/returns/went", {}))[0] == 409


async def test_outreach_is_counted_by_sex_and_age_and_feeds_the_monthly_figure(world: World) -> None:
    worker, _case_id = await at_office(world)
    session = {"kind": "school", "held_on": "2026-01-05", "reached": {"female": {"10-14": 31}, "male": {"10-14": 12, "15-17": 0}}}
    wrong = await worker.post("/outreach", session | {"reached": {"female": {"10-14": 310}}})
    made = await worker.post("/outreach", {**session, "corrects": wrong["id"]})
    assert (made["total"], made["reached"]) == (43, {"female": {"10-14": 31}, "male": {"10-14": 12}})
    for body in (
        {**session, "held_on": "2026-01-09"}, {**session, "district": "nowhere"}, {**session, "corrects": wrong["id"]},
        {**session, "reached": {"unknown": {"10-14": 1}}}, {**session, "kind": "radio"},
    ):  # fmt: skip
        assert (await status(worker, "/outreach", body))[0] == 409, body
    assert (await worker.ask("POST", "/outreach", {**session, "who": "x"})).status_code == 422
    head = await world["social_welfare"].sign_in("head", Role.SUPERVISOR)
    found = await head.get("/outreach/figures?month=2026-01")
    assert (found["sessions"], found["people"], found["by_age"]) == ({"school": 1}, 43, {"10-14": 43})
    counts = {row["measure"]: row["count"] for row in (await head.get("/counts?year=2026"))["counts"]}
    assert (counts["outreach_sessions"], counts["people_reached"]) == (1, 43)
    assert (await worker.ask("GET", "/outreach/figures?month=2026-01")).status_code == 403
