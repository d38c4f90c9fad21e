"""Pages of partners and justice, without JavaScript: what is due, handing over, hearings, examinations, and the agreement at both
ends, with what is outside it said before anybody sends.
"""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from agencies import World, consent, open_case
from coast import INSTITUTE, OFFICE, REFUGE, STATION, ask, at, coast_world, complaint
from counting import lead, seen
from shift import at_work
from visitor import Page, Visitor

from shared.contracts.casework.codes import Role


@pytest.fixture
async def coast(tmp_path: Path) -> AsyncIterator[World]:
    async with coast_world(tmp_path) as world:
        yield world


async def opened(visitor: Visitor, path: str) -> Page:
    page = await visitor.open(path)
    assert (page.status, page.path) == (200, path), page.words
    return page


async def test_a_case_is_handed_over_from_a_page_and_goes_through_court(coast: World) -> None:
    desk = await at(coast, "police", STATION)
    case_id, _incident, _complaint = await complaint(desk)
    officer = await at_work(coast, "police", "officer", Role.OFFICER, STATION)
    assert "Complaints to hand over to the prosecutor: 1." in (await opened(officer, "/work")).words
    assumed = "The time is an assumption, no published figure."
    page = await opened(officer, "/hand-overs")
    assert (f"/cases/{case_id}/prosecutor" in page.links, assumed in page.words) == (True, True)
    page = await opened(officer, f"/cases/{case_id}/prosecutor")
    assert assumed in page.words
    page = await officer.send(page.form(f"/cases/{case_id}/prosecutor"), place=f"justice/{OFFICE}")
    assert page.path.startswith("/referrals/"), page.words
    assert "Handed over in time" in (await opened(officer, f"/cases/{case_id}/prosecutor")).words
    await coast.settle()
    clerk = await at_work(coast, "justice", "clerk", Role.OFFICER, OFFICE)
    page = await opened(clerk, "/hand-overs")
    assert assumed in page.words
    (accept,) = [form for form in page.forms if form.action.endswith("/accept")]
    there = next(link for link in (await clerk.send(accept)).links if link.startswith("/cases/"))
    page = await opened(clerk, f"{there}/proceedings")
    page = await clerk.send(page.form(f"{there}/charge"))
    assert "Charged," in page.words
    day = (coast.clock.now() + timedelta(days=2)).date()
    page = await clerk.send(page.form(f"{there}/hearings"), hearing_on=day.isoformat())
    assert "Next hearing:" in page.words
    for path in ("/work", "/hearings"):
        assert f"{there}/proceedings" in (await opened(clerk, path)).links
    page = await opened(clerk, f"{there}/proceedings")
    (off,) = [form for form in page.forms if form.fields.get("state") == ["put_off"]]
    assert "Put off" in (await clerk.send(off)).words
    page = await clerk.send((await opened(clerk, f"{there}/proceedings")).form(f"{there}/verdicts"), outcome="convicted")
    assert "Convicted" in page.words
    prosecution = await lead(coast["justice"])
    found = await seen(prosecution)
    assert (found("convicted"), found("acquitted"), found("verdicts")) == (1, 0, None), "that there is one the police count"
    coast.clock.advance(timedelta(minutes=1))
    page = await clerk.send(page.form(f"{there}/verdicts"), outcome="acquitted")
    found = await seen(prosecution)
    assert (found("convicted"), found("acquitted")) == (0, 1), "a higher court decided otherwise: the last one counts"
    page = await opened(clerk, f"{there}/examinations")
    page = await clerk.send(page.form(f"{there}/examinations"), agreed="yes", post="clerk")
    assert "The order is to follow" in page.words
    (asked,) = [form for form in page.forms if form.fields.get("asked_of") == ["court"]]
    page = await clerk.send(asked)
    assert "Asked of: Court" in page.words
    assert f"{there}/examinations" in (await opened(clerk, "/examinations")).links
    (came,) = [form for form in page.forms if form.action.endswith("/order-came")]
    assert "ORD/9" in (await clerk.send(came, came_number="ord/9")).words
    page = await clerk.send((await opened(clerk, f"{there}/specimens")).form(f"{there}/specimens"), kind="blood", post="clerk")
    assert page.path.startswith("/specimens/"), page.words
    assert page.path in (await opened(clerk, "/specimens")).links
    for path in ("/cases", "/directory", "/hand-over", there):
        await opened(clerk, path)
    assert INSTITUTE in coast["justice"].here.entry.facilities


async def test_the_agreement_stands_at_both_ends_and_is_said_before_anybody_sends(coast: World) -> None:
    desk = await at(coast, "police", STATION)
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "partner")
    sent = await ask(desk, case_id, incident_id, f"partner/{REFUGE}", "shelter")
    await coast.settle()
    coast.clock.advance(timedelta(days=(date(2026, 3, 20) - coast.clock.now().date()).days))
    for agency in coast.agencies.values():
        await agency.watcher.tick()
    intake = await at_work(coast, "partner", "intake", Role.SOCIAL_WORKER, REFUGE)
    lead = await at_work(coast, "partner", "lead", Role.SUPERVISOR, None)
    page = await opened(intake, "/work")
    assert "/agreement" in page.links
    assert "nobody has decided what comes after: 1." in page.words
    assert "An agreement with a partner ends within 30 days" in (await opened(lead, "/alarms")).words
    page = await opened(intake, "/agreement")
    assert "Ends soon" in page.words
    (goes_on,) = [form for form in page.forms if form.fields.get("plan") == ["goes_on_here"]]
    page = await intake.send(goes_on)
    assert (page.path, "It goes on here, by our own means" in page.words) == ("/agreement", True)
    assert f"/referrals/{sent['id']}" in page.links
    for path in ("/here-now", "/cases", "/directory", "/hand-over"):
        await opened(intake, path)
    officer = await at_work(coast, "police", "officer", Role.OFFICER, STATION)
    assert "Ends soon" in (await opened(officer, "/agreement")).words
    coast.clock.advance(timedelta(days=20))
    officer = await at_work(coast, "police", "officer-2", Role.OFFICER, STATION)
    assert "Has ended" in (await opened(officer, "/agreement")).words
    for path in (f"/cases/{case_id}/refer", "/directory"):
        page = await opened(officer, path)
        assert "The agreement with Harbour women's trust ended on 31 March 2026" in page.words
        assert "Only its area is shown: " in page.words
        assert "km, about" not in page.text.split("Refuge")[1].split("</li>" if path == "/directory" else "app-place__open")[0]
    page = await opened(officer, f"/cases/{case_id}/refer")
    page = await officer.send(
        page.form(f"/cases/{case_id}/refer"), care="psychosocial", place=f"partner/{REFUGE}", mode="car", escort="officer",
        carries="nothing",
    )  # fmt: skip
    assert (page.status, "ended on 31 March 2026; the directory has for this" in page.words) == (422, True)


async def test_whoever_is_asked_about_the_prosecutor_hears_what_it_is(coast: World) -> None:
    desk = await at(coast, "police", STATION)
    case_id, _incident = await open_case(desk)
    officer = await at_work(coast, "police", "officer", Role.OFFICER, STATION)
    page = await opened(officer, f"/cases/{case_id}/consent")
    assert "May we hand your complaint on to the prosecutor" in page.words
    page = await opened(officer, f"/cases/{case_id}/prosecutor")
    assert f"/cases/{case_id}/consent" in page.links
    for language in ("fa_AF", "fr"):
        form = next(one for one in (await opened(officer, "/me")).forms if one.action == "/me/language")
        form.fields["language"] = [language]
        form.choices.clear()
        await officer.send(form)
        page = await officer.open(f"/cases/{case_id}/prosecutor")
        assert (page.status, "Hand over to the prosecutor" in page.words) == (200, False)
