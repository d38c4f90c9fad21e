"""A social worker's pages without JavaScript: her day, the plan put to the survivor, a visit that is refused with its reason, a
worker who is out, a return, outreach; and a case conference at the pages of two agencies.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from agencies import TestAgency, World, consent
from shift import at_work
from visitor import Page, Visitor

from shared.contracts.casework.codes import Role
from shared.programmes.vocabulary import StayLimit

pytestmark = pytest.mark.parametrize("world", ["sqlite"], indirect=True)
OFFICE = "ndola_district_office"


async def worker_with_case(world: World, service: str = "psychosocial") -> tuple[Visitor, str, str]:
    """A worker at her page, a case that the police sent with messages allowed, and the request."""
    desk = await world["police"].sign_in("desk")
    person = {"needs": {"age_band": "18-24", "sex": "female", "language": "bem"}, "relay": {"safe_hours": "morning"}}
    case_id = (await desk.post("/cases", person))["id"]
    await consent(desk, case_id, "social_welfare", "needs", "relay")
    body = {"case_id": case_id, "to_agency": "social_welfare", "to_facility": OFFICE, "services": [service], "urgency": "urgent"}
    rid = (await desk.post("/referrals", body))["id"]
    await world.settle()
    worker = await at_work(world, "social_welfare", "worker", Role.SOCIAL_WORKER, OFFICE)
    (case,) = (await (await world["social_welfare"].sign_in("api", facility=OFFICE)).get("/cases"))["items"]
    return worker, case["id"], rid


async def send(visitor: Visitor, path: str, action: str, **answers: Any) -> Page:
    page = await visitor.open(path)
    return await visitor.send(page.form(action), **answers)


async def test_a_plan_is_written_put_to_her_carried_out_and_closed_with_a_word_on_each_open_step(world: World) -> None:
    worker, case_id, _rid = await worker_with_case(world)
    plan = f"/cases/{case_id}/plan"
    assert plan in (await worker.open(f"/cases/{case_id}")).links
    page = await send(
        worker, f"{plan}/change", f"{plan}/change", needs="legal", review_on="2026-01-20", goal_need_0="legal",
        step_what_0="go_with_her", step_who_0="worker", step_note_0="Synthetic step",
    )  # fmt: skip
    assert page.path == plan
    assert "No version is agreed to yet" in page.words
    page = await worker.send(page.form(f"{plan}/answer"), agrees="yes", how="thumb", language="bem")
    assert "Was agreed to" in page.words
    assert "No version is agreed to yet" not in page.words
    page = await send(worker, f"{plan}/change", f"{plan}/change", needs="legal", review_on="2026-01-22", step_note_0="Another word")
    assert "Version 1 stands until this one is agreed to." in page.words
    assert "Earlier versions" in page.words
    stale = (await worker.open(f"{plan}/change")).form(f"{plan}/change")
    await send(worker, f"{plan}/change", f"{plan}/change", step_note_0="A colleague's word")
    page = await worker.send(stale, step_note_0="Typed over an older version")
    for _tap in range(2):  # and no second tap takes the colleague's words away
        assert (page.status, "Somebody has changed this plan since" in page.words) == (422, True)
        page = await worker.send(page.form(f"{plan}/change"))
    assert "A colleague's word" in (await worker.open(plan)).words
    page = await send(worker, f"{plan}/close", f"{plan}/close", why="goals_reached")
    assert page.status == 422
    assert "Say of each open step what becomes of it" in page.words
    form = page.form(f"{plan}/close")
    (asked,) = [name for name in form.choices if name.startswith("state_")]
    answers: dict[str, Any] = {asked: "done"}
    page = await worker.send(form, **answers)
    assert "No plan is open." in page.words
    assert "A plan that is closed" in page.words


async def test_a_home_visit_is_refused_with_its_reason_and_then_planned_as_she_said_it_is_safe(world: World) -> None:
    worker, case_id, _rid = await worker_with_case(world)
    visits, word = f"/cases/{case_id}/visits", f"/cases/{case_id}/visiting"
    post = world["social_welfare"].here.posts(OFFICE)[0]
    home = {"kind": "home", "due_on": "2026-01-05", "part": "morning", "knows": post}
    page = await send(worker, visits, visits, **home)
    assert page.status == 422
    assert "Ask first, alone, whether a visit is safe" in page.words
    page = await send(worker, word, word, is_safe="yes", way="at_home_alone", hours="morning", language="bem")
    assert (page.status, page.path) == (200, visits)
    page = await send(worker, visits, visits, **{**home, "knows": "", "second": "nobody-here"})
    assert (page.status, "nobody-here" in page.words) == (422, True)
    page = await send(worker, visits, visits, **home)
    visit = next(link for link in page.links if link.startswith("/visits/"))
    page = await worker.open(visit)
    assert page.form(f"{visit}/set-out").fields["out_hours"] == ["1"]
    page = await worker.send(page.form(f"{visit}/set-out"))
    assert "Out since" in page.words
    assert "Out on a visit now" in (await worker.open("/work")).words
    page = await worker.send((await worker.open(visit)).form(f"{visit}/back"))
    assert "Out on a visit now" not in (await worker.open("/work")).words
    page = await send(worker, visits, visits, **{**home, "due_on": "2026-01-12"})
    other = next(link for link in page.links if link.startswith("/visits/") and link != visit)
    assert "Set out" not in (await worker.open(other)).words  # on its own day, and on no other


async def test_her_day_begins_with_who_is_missed_what_is_due_and_which_plans_and_leads_through_the_sender(world: World) -> None:
    worker, case_id, rid = await worker_with_case(world)
    api = await world["social_welfare"].sign_in("api-2", facility=OFFICE)
    await api.post(f"/cases/{case_id}/plan", {"needs": ["safety"], "review_on": "2026-01-06"})
    await api.post(f"/cases/{case_id}/plan/answer", {"number": 1, "agrees": True, "how": "spoken", "language": "bem"})
    for day in ("2026-01-06", "2026-01-07"):
        await api.post(f"/cases/{case_id}/visits", {"due_on": day})
    assert "Visits that are due" not in (await worker.open("/work")).words
    world.clock.advance(timedelta(days=3))
    worker = await at_work(world, "social_welfare", "worker-3", Role.SOCIAL_WORKER, OFFICE)
    page = await worker.open("/work")
    assert f"/referrals/{rid}" in page.links  # the new request
    for section in ("Changed", "Visits that are due", "Plans to look at again"):
        assert section in page.words, section
    visits = [link for link in page.links if link.startswith("/visits/")]
    for visit in visits:
        await send(worker, visit, f"{visit}/answer", state="missed", note="Synthetic")
    page = await worker.open("/work")
    assert "Has not come yet" in page.words
    assert "Do not call or visit." in page.words
    assert f"/referrals/{rid}/messages/new" in (await worker.open(visits[0])).links


def with_stays(world: World) -> None:
    """The programme has a limit of stays, with a plan by the third day."""
    agency = world["social_welfare"]
    limit = StayLimit.model_validate(
        {"rule": "stay_limit", "days": 5, "plan_by_days": 3, "extended_by": "supervisor", "source": "D"}
    )
    programme = agency.here.programme.model_copy(update={"rules": {**agency.here.programme.rules, "stay": limit}})
    world.agencies["social_welfare"] = TestAgency(replace(agency.here, programme=programme), agency.parts, agency.database)


async def test_stays_of_three_days_stand_on_her_list_only_where_the_programme_has_a_limit(world: World) -> None:
    worker, _case_id, rid = await worker_with_case(world, "shelter")
    api = await world["social_welfare"].sign_in("api-4", facility=OFFICE)
    await api.post(f"/referrals/{rid}/arrive")
    world.clock.advance(timedelta(days=2, minutes=1))
    worker = await at_work(world, "social_welfare", "worker-5", Role.SOCIAL_WORKER, OFFICE)
    assert "Stays that need a place afterwards" not in (await worker.open("/work")).words
    with_stays(world)
    worker = await at_work(world, "social_welfare", "worker-6", Role.SOCIAL_WORKER, OFFICE)
    page = await worker.open("/work")
    assert "Stays that need a place afterwards" in page.words
    assert f"/referrals/{rid}" in page.links


async def test_going_back_is_asked_about_then_put_to_her_and_followed_by_visits(world: World) -> None:
    worker, case_id, _rid = await worker_with_case(world)
    path = f"/cases/{case_id}/return"
    page = await worker.open(path)
    questions: dict[str, Any] = {name: "no" for name in page.form(path).choices if name != "where"}
    page = await worker.send(page.form(path), where="family", **{**questions, "threats_since": "yes"})
    assert "Read aloud before the answer" in page.words
    assert "Were there threats since?" in page.words
    assert not [form for form in page.forms if form.action.endswith("/went")]
    page = await worker.send(page.form(f"{path}/answer"), agrees="yes", how="spoken", language="bem")
    assert "after so many days: 7, 30, 90. An assumption, no published figure." in page.words
    page = await worker.send(page.form(f"{path}/went"))
    assert page.path == f"/cases/{case_id}/visits"
    assert page.words.count("After going back") >= 3


async def test_outreach_is_counts_and_a_wrong_number_stands_beside_its_field(world: World) -> None:
    worker, _case_id, _rid = await worker_with_case(world)
    page = await send(worker, "/outreach", "/outreach", kind="school", **{"female_10-14": "24", "male_10-14": "1x"})
    assert page.status == 422
    mended: dict[str, Any] = {"male_10-14": "11"}
    page = await worker.send(page.form("/outreach"), **mended)
    assert (page.status, "35 people" in page.words) == (200, True), page.words


async def test_a_conference_is_called_answered_and_concluded_at_the_pages(world: World) -> None:
    worker, case_id, _rid = await worker_with_case(world)
    officer = await at_work(world, "police", "officer-9", Role.OFFICER)
    conferences = f"/cases/{case_id}/conferences"
    page = await worker.open(f"/cases/{case_id}/consent")
    assert "Where those who help you meet: what you need." in page.words
    form = page.form(page.path)
    assert form.fields.get("items_police", []) == []  # nobody has ticked beforehand of what others may speak
    agreed: dict[str, Any] = {
        "answer_police": "yes",
        "items_police": ["needs", "safety"],
        "answer_health": "no",
        "answer_back": "no",
        "how": "spoken",
        "language": "bem",
    }
    page = await worker.send(form, **agreed)
    assert page.status == 200, page.words
    page = await send(
        worker, conferences, conferences, on_date="2026-01-05", part="morning", agenda=["needs", "type"], agencies="health"
    )
    assert page.status == 422  # she said no about the clinic
    page = await worker.send(page.form(conferences), agencies="police")
    assert page.path.startswith("/conferences/"), page.words
    await world.settle()
    at_desk = await officer.open("/work")
    assert "Invitations to a case conference to answer" in at_desk.words
    there = await officer.open(page.path)
    assert "Age group, sex, language" in there.words
    assert "Kind of violence" not in there.words
    there = await officer.send(next(one for one in there.forms if one.fields.get("answer") == ["will_come"]))
    assert "Our answer: Somebody comes" in there.words
    await world.settle()
    assert "Somebody comes" in (await worker.open(page.path)).words
    decided = {
        "outcome": "held",
        "item_0": "needs",
        "code_0": "support_for_her",
        "responsible_0": "police",
        "due_on_0": "2026-02-01",
    }
    await send(worker, page.path, page.path, **decided)
    await world.settle()
    assert "Support for the survivor" in (await officer.open(page.path)).words
