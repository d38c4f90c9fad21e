"""Follow-up visits through the API: proposed from what was given; the next day told as every next day is, its purpose never."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from agencies import Desk, World, consent, open_case, refer
from reports import CLINIC, nurse, officer
from shift import at_work

from services.health.follow_ups.domain import Which, proposals
from shared.contracts.casework.codes import Role
from shared.programmes.care import VisitsAfterCare
from shared.programmes.profile import load_programme

DAY = date(2026, 1, 5)


BASE = load_programme("zm-vsu-ec").visits_after_care
DAYS = {Which(name): days for name, days in BASE.days.items()}


def test_visits_follow_what_was_given_and_day_28_follows_pep_alone() -> None:
    assert proposals([], [], "pep", DAYS) == []
    without = proposals([("sti_prophylaxis", DAY)], [], "pep", DAYS)
    assert [one.which for one in without] == [Which.TWO_WEEKS, Which.THREE_MONTHS, Which.SIX_MONTHS]
    found = proposals([("examination", DAY), ("pep", DAY + timedelta(days=1))], [Which.TWO_WEEKS], "pep", DAYS)
    assert [(one.which, one.due_on - DAY) for one in found] == [
        (Which.PEP_DAY_28, timedelta(days=29)), (Which.THREE_MONTHS, timedelta(days=91)), (Which.SIX_MONTHS, timedelta(days=182)),
    ]  # fmt: skip


async def test_a_country_has_other_days_and_what_a_published_source_says_is_called_no_assumption(world: World) -> None:
    health = world["health"]
    stated = VisitsAfterCare.model_validate({"two_weeks": 10, "pep_day_28": 28, "source": "O3"})
    clinic, case_id = await in_care(world, "fb")
    page = await at_work(world, "health", "reader", Role.CLINICIAN, CLINIC)
    assumed = "An assumption, until a national rule says otherwise."
    assert assumed in (await page.open(f"/cases/{case_id}/follow-ups")).words
    health.edge.here = replace(health.here, programme=health.here.programme.model_copy(update={"visits_after_care": stated}))
    proposed = (await clinic.get(f"/cases/{case_id}/follow-ups"))["proposed"]
    today = health.here.day_of(world.clock.now())
    assert [(one["which"], date.fromisoformat(one["due_on"]) - today) for one in proposed] == [
        ("two_weeks", timedelta(days=10)), ("pep_day_28", timedelta(days=28)),
    ]  # fmt: skip
    assert assumed not in (await page.open(f"/cases/{case_id}/follow-ups")).words


async def in_care(world: World, *items: str) -> tuple[Desk, str]:
    """Somebody in care at the clinic, whom the social worker knows too: (nurse, case at the clinic)."""
    desk, clinic = await officer(world), await nurse(world)
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health", "needs")
    rid = (await refer(desk, case_id, incident_id, "health"))["id"]
    await world.settle()
    await clinic.post(f"/referrals/{rid}/arrive", {"feedback": False})
    for care in ("pep", "examination"):
        await clinic.post(f"/referrals/{rid}/care", {"care": care, "result": "given"})
    theirs = (await clinic.get(f"/referrals/{rid}"))["case_id"]
    await consent(clinic, theirs, "social_welfare", *items)
    await refer(clinic, theirs, None, "social_welfare")
    await world.settle()
    return clinic, theirs


async def dates_at_office(world: World) -> list[str]:
    worker = await world["social_welfare"].sign_in("worker")
    (case,) = (await worker.get("/cases"))["items"]
    lines = (await worker.get(f"/cases/{case['id']}/timeline"))["items"]
    assert "pep" not in str(lines)
    return [line["detail"]["on_date"] for line in lines if line["detail"].get("code") == "next_clinic_date"]


async def test_the_next_visit_is_told_once_and_the_one_after_when_it_is_next(world: World) -> None:
    clinic, case_id = await in_care(world, "fb")
    plan = await clinic.get(f"/cases/{case_id}/follow-ups")
    assert [one["which"] for one in plan["proposed"]] == ["two_weeks", "pep_day_28", "three_months", "six_months"]
    made = [await clinic.post(f"/cases/{case_id}/follow-ups", one) for one in plan["proposed"][:2]]
    assert (await clinic.ask("POST", f"/cases/{case_id}/follow-ups", plan["proposed"][0])).status_code == 409
    assert [one["which"] for one in (await clinic.get(f"/cases/{case_id}/follow-ups"))["proposed"]] == [
        "three_months",
        "six_months",
    ]
    world.clock.advance(timedelta(days=14))
    await clinic.post(f"/follow-ups/{made[0]['id']}/answer", {"state": "kept"})
    await world.settle()
    assert await dates_at_office(world) == [made[0]["due_on"], made[1]["due_on"]]


async def test_a_visit_that_was_mistyped_is_moved_or_called_off_and_only_the_nearest_day_is_told(world: World) -> None:
    clinic, case_id = await in_care(world, "fb")
    path = f"/cases/{case_id}/follow-ups"
    visit: Any = await clinic.post(path, {"which": "two_weeks", "due_on": "2026-02-19"})
    moved = await clinic.post(f"/follow-ups/{visit['id']}/move", {"due_on": "2026-01-19"})
    assert (moved["id"], moved["due_on"], moved["state"]) == (visit["id"], "2026-01-19", "made")
    assert (await clinic.ask("POST", f"/follow-ups/{visit['id']}/move", {"due_on": "2026-01-19"})).status_code == 409
    assert (await clinic.ask("POST", f"/follow-ups/{visit['id']}/move", {"due_on": "2062-01-19"})).status_code == 409
    await clinic.post(path, {"which": "other", "due_on": "2026-03-01"})
    other = await clinic.post(path, {"which": "other", "due_on": "2026-01-12"})
    assert (await clinic.post(f"/follow-ups/{other['id']}/answer", {"state": "called_off"}))["state"] == "called_off"
    for step, body in (("answer", {"state": "missed"}), ("move", {"due_on": "2026-01-13"})):
        assert (await clinic.ask("POST", f"/follow-ups/{other['id']}/{step}", body)).status_code == 409
    assert (await clinic.post(path, {"which": "other", "due_on": "2026-01-12"}))["id"] != other["id"], "called off is not for ever"
    await world.settle()
    assert await dates_at_office(world) == ["2026-02-19", "2026-01-19", "2026-01-12", "2026-01-19", "2026-01-12"]
    head = await nurse(world, "head-nurse", Role.SUPERVISOR)
    found = (await head.get("/follow-ups/figures?month=2026-01"))["items"]
    assert {"facility": CLINIC, "due": 2, "kept": 0, "missed": 0} in found, "what was called off is not due"


async def test_without_her_yes_nobody_hears_of_a_visit_and_who_comes_later_has_kept_it(world: World) -> None:
    clinic, case_id = await in_care(world)
    visit: Any = await clinic.post(f"/cases/{case_id}/follow-ups", {"which": "pep_day_28", "due_on": "2026-02-02"})
    world.clock.advance(timedelta(days=29))
    assert (await clinic.post(f"/follow-ups/{visit['id']}/answer", {"state": "missed"}))["state"] == "missed"
    assert (await clinic.post(f"/follow-ups/{visit['id']}/answer", {"state": "kept"}))["state"] == "kept"
    assert (await clinic.ask("POST", f"/follow-ups/{visit['id']}/answer", {"state": "missed"})).status_code == 409
    await world.settle()
    assert await dates_at_office(world) == []
    head = await nurse(world, "head-nurse", Role.SUPERVISOR)
    found = (await head.get("/follow-ups/figures?month=2026-02"))["items"]
    assert {"facility": CLINIC, "due": 1, "kept": 1, "missed": 0} in found
