"""Pages of a medical report, without JavaScript, at both ends: what waits, one tap for a wrong form, hand to hand with her yes."""

from datetime import timedelta
from typing import Any

import pytest
from agencies import World, consent, open_case, refer
from reports import CLINIC, OLD, STATION, asked, with_limits
from reports import officer as at_desk
from shift import nurse, officer
from visitor import Visitor


async def fill(visitor: Visitor, path: str, **answers: Any) -> Any:
    return await visitor.send((await visitor.open(path)).form(path), **answers)


async def first(visitor: Visitor) -> str:
    """The first report of the list."""
    return next(link for link in (await visitor.open("/reports")).links if link.startswith("/reports/"))


@pytest.mark.parametrize("language", ["en", "fa_AF"])
async def test_a_report_from_the_wrong_form_to_the_hand_that_takes_it(world: World, language: str) -> None:
    with_limits(world)
    desk = await at_desk(world)
    _case, rid = await asked(world, desk, "fb", form=OLD)
    at_clinic, at_station = await nurse(world, facility=CLINIC), await officer(world, facility=STATION)
    for one in (at_clinic, at_station):
        if language != "en":
            await one.send((await one.open("/me")).form("/me/language"), button=("language", language))
    report = await first(at_clinic)
    steps = f"{report}/steps"
    page = await at_clinic.open(report)
    assert (page.status, f'dir="{"ltr" if language == "en" else "rtl"}"' in page.text) == (200, True)
    assumed = "Rests on an assumption of the programme that no published source states."
    assert language != "en" or assumed in page.words, "the form's version, which no source gives"
    page = await at_clinic.send(page.form(f"{steps}/handed_back"))  # one tap
    assert (page.path, page.status) == (report, 200)
    await fill(at_clinic, f"{steps}/examined", post="duty_nurse", name="Synthetic Name")
    wrong = await fill(at_clinic, f"{steps}/signed", post="duty_nurse", form_version="1")
    assert (wrong.status, "2" in wrong.words) == (422, True)
    assert (await fill(at_clinic, f"{steps}/signed", post="duty_nurse", form_version="2")).status == 200
    page = await fill(at_clinic, f"{steps}/ready", post="duty_nurse", custody_code=" m-7kq 4rt")
    assert "M-7KQ4RT" in page.words
    missing = await fill(at_clinic, f"{steps}/collected", post="duty_nurse", holder="desk", ground="consent")
    assert missing.status == 422
    page = await fill(at_clinic, f"{steps}/collected", post="duty_nurse", holder="desk", ground="consent", how="thumb")
    assert (page.path, page.status) == (report, 200)
    theirs = await first(at_station)
    page = await fill(at_station, f"{theirs}/steps/collected", post="duty_officer", custody_code="M-7KQ4RT", form_version="2")
    assert (page.path, page.status) == (theirs, 200)
    assert "Synthetic Name" not in page.words
    assert rid


async def test_the_desks_work_begins_with_what_is_due_before_the_limit(world: World) -> None:
    with_limits(world)
    desk = await at_desk(world)
    await asked(world, desk)
    visitor = await officer(world, facility=STATION)
    report = await first(visitor)
    assert f"{report}/steps/held" in (await visitor.open(report)).links
    await fill(visitor, f"{report}/steps/held")
    due = "Medical reports due before the remand limit"
    assert due not in (await visitor.open("/work")).words
    assert "Medical reports that are due before the remand limit: 1." in (await visitor.open("/work")).words
    world.clock.advance(timedelta(days=8))
    visitor = await officer(world, "officer-2", facility=STATION)
    work = await visitor.open("/work")
    assert due in work.words
    assert report in work.links
    assert "left until somebody held is released" in work.words
    with_limits(world, days=None)
    fresh = await officer(world, "officer-3", facility=STATION)
    assert f"{report}/steps/held" not in (await fresh.open(report)).links  # no limit, nothing to write down of anybody


async def test_a_clinic_writes_a_report_that_nobody_asked_for(world: World) -> None:
    desk = await at_desk(world)
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health", "needs")
    rid = (await refer(desk, case_id, incident_id, "health"))["id"]
    await world.settle()
    visitor = await nurse(world, facility=CLINIC)
    case = next(link for link in (await visitor.open(f"/referrals/{rid}")).links if link.startswith("/cases/"))
    case = "/".join(case.split("/")[:3])
    assert f"{case}/reports" in (await visitor.open(case)).links
    page = await visitor.open(f"{case}/reports")
    page = await visitor.send(page.form(f"/referrals/{rid}/report"))
    assert page.path.startswith("/reports/")
    assert "Care waits for no report." in (await visitor.open("/reports")).words


async def test_what_waits_for_a_doctor_stands_on_one_page(world: World) -> None:
    with_limits(world)
    desk = await at_desk(world)
    _case, rid = await asked(world, desk)
    visitor = await nurse(world, facility=CLINIC)
    clinic = await world["health"].sign_in("somebody", facility=CLINIC)
    await clinic.post(f"/referrals/{rid}/arrive")
    await clinic.post(f"/referrals/{rid}/care", {"care": "pep", "result": "given"})
    case = f"/cases/{(await clinic.get(f'/referrals/{rid}'))['case_id']}"
    page = await visitor.open(f"{case}/follow-ups")
    assert "Day 28 of HIV protection" in page.words
    page = await visitor.send(page.form(f"{case}/follow-ups"))  # one tap: the first that is proposed
    assert "Made" in page.words
    page = await fill(visitor, f"/care/{rid}", next_visit="2026-01-09")
    assert "/waits" in (await visitor.open("/work")).links
    assert "To be signed" in (await visitor.open("/waits")).words
    world.clock.advance(timedelta(days=20))
    visitor = await nurse(world, "nurse-2", facility=CLINIC)
    page = await visitor.open("/waits")
    assert page.links.count(f"{case}/follow-ups") == 2
    page = await visitor.open(f"{case}/follow-ups")
    acts = [form for form in page.forms if form.fields.get("state") == ["missed"]]
    page = await visitor.send(acts[0])
    assert "No message may be passed on: it is said on the next visit." in page.words
    assert "Follow-up visits that are due: 1." in (await visitor.open("/work")).words
