"""Sierra Leone, Family Support Units (domain guide 4.4, practice guide "The six scenarios, made real"): each story on the network
that the profile makes, over a real Kafka, each agency on a PostgreSQL database of its own.

| story | test |
|---|---|
| acceptance: girl of 13, no medical report; assent, safe adult, what the law has told; Rainbo, the worker and legal aid get three
  requests, field by field | `test_a_girl_of_thirteen_...` |
| the certificate comes back as a code | `test_her_certificate_...` |
| the worker shares the office and opens no police file | `test_the_worker_shares_the_office_and_not_the_file` |
| caregiver is the suspect: another adult stands in | `test_a_caregiver_who_is_suspected_is_replaced` |
| seat reported, not assumed; absent in three ways; the district office is offered | `test_an_empty_seat_...`, `test_presence_...` |
| a fee: the closing page asks, a breach, the indicator fails, and one fee is not two | `test_a_fee_is_asked_...` |
| a fee at legal aid | `test_a_fee_at_legal_aid_...` |
| legal aid is asked within its agreement alone | `test_legal_aid_is_asked_...` |
| an old form is refused with its reason | `test_an_old_form_is_handed_back` |
| the doctor is far: travel, signature, ten days of detention | `test_the_doctor_is_far_and_a_suspect_is_held_for_ten_days` |
| accused child who is also a victim: two files | `test_an_accused_child_has_two_files_and_nothing_joins_them` |
| the family asks to settle | `test_a_family_that_asks_to_settle_is_written_down_and_nothing_is_settled` |
| to the end, and nobody asks for money; with a centre on paper, with feedback refused (long tier) | `test_her_certificate_...` |
| party on paper: a unit without electricity | `test_a_unit_on_paper_is_entered_by_another_with_its_own_times` |
| feedback refused | `test_she_refuses_feedback_and_the_unit_learns_nothing` |
"""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from agencies import Desk, Refused, purpose_of
from desk_pages import fill_page
from programme_town import ProgrammeTown, programme_town
from signing_in import settled_account, sign_in
from visitor import Page, Visitor

from services.simulate.overseen import ids_in, tables_of
from shared.casework.accounts.commands import find_account
from shared.contracts.casework.codes import Role
from shared.contracts.casework.minimal_data import REQUEST_FIELDS
from shared.kit.local.postgres_databases import PostgresDatabases
from shared.programmes.profile import load_programme
from shared.programmes.tallies import Counted

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]  # the first one starts the broker

UNIT, LUNSAR, DARK_UNIT, HUB = "freetown_fsu", "lunsar_fsu", "fsu_40", "fsu_39"
CENTRE, PAPER_CENTRE = "freetown_rainbo", "kenema_rainbo"
SEAT = "ministry_seat_1"  # under the roof of the first unit
OFFICE = "legal_office_1"
WORKER, OWN = "ministry_worker", "unit"
FORM = {"form": "medical_form", "form_version": 2}
EXAMINED = {"step": "examined", "post": "duty_nurse", "name": "Synthetic Examiner"}
SIGNED = {"step": "signed", "post": "duty_nurse", "name": "Synthetic Doctor", "signed_as": "doctor"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(postgres: PostgresDatabases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ProgrammeTown]:
    on_paper = {DARK_UNIT: {"mode": "paper", "hub": HUB}, PAPER_CENTRE: {"mode": "paper", "hub": CENTRE}}
    async with programme_town("sl-fsu", postgres, tmp_path_factory.mktemp("sierra-leone"), on_paper) as made:
        yield made


async def refused(work: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as error:
        await work
    return error.value.status, error.value.problem["detail"]


async def girl(town: ProgrammeTown, desk: Desk, age: str = "10-14", **more: Any) -> tuple[str, str]:
    """Somebody who has come with nobody's report: (case, incident)."""
    child = {"child": {"assent": "yes", "safe_adult_present": "yes"}} if age in ("0-9", "10-14", "15-17") else {}
    needs = {"age_band": age, "sex": "female", "language": "kri"}
    case_id = (await desk.post("/cases", {"needs": needs, **child, **more}))["id"]
    at = (town.clock.now() - timedelta(hours=20)).isoformat()
    body = {"incident_type": "rape", "contexts": [], "earliest_at": at, "latest_at": at}
    return case_id, (await desk.post(f"/cases/{case_id}/incidents", body))["id"]


async def agrees(desk: Desk, case_id: str, recipient: str, *items: str) -> Any:
    body = {"recipient": recipient, "purpose": purpose_of(recipient), "items": ["req", *items], "how": "thumb", "language": "kri"}
    return await desk.post(f"/cases/{case_id}/consents", body)


async def asks(town: ProgrammeTown, desk: Desk, case: tuple[str, str], to: str, place: str, *services: str, **more: Any) -> Any:
    """A request that has come to the place."""
    body = {"case_id": case[0], "incident_id": case[1], "to_agency": to, "to_facility": place, "services": services, **more}
    sent = await desk.post("/referrals", {"urgency": "acute", **body})
    await town.stands(await town.whole(to), sent, "issued")
    return sent


async def to_centre(town: ProgrammeTown, desk: Desk, case: tuple[str, str], **more: Any) -> Any:
    return await asks(town, desk, case, "health", CENTRE, "acute_care", "examination_and_report", **{"report_form": FORM, **more})


async def step(desk: Desk, sent: Any, body: dict[str, Any], **more: Any) -> Any:
    report = await desk.post(f"/referrals/{sent['id']}/report")
    return await desk.post(f"/reports/{report['id']}/steps", {**body, **more})


async def at_pages(town: ProgrammeTown, agency: str, place: str | None, role: Role) -> Visitor:
    name = town.name()
    issued = await settled_account(town[agency], name, role)
    async with town[agency].database.write() as tx:
        (await find_account(tx, name)).facility = place
    visitor = Visitor(town[agency].app)
    await sign_in(visitor, issued, name)
    return visitor


async def counted(town: ProgrammeTown, indicator: str, *agencies: str) -> float | None:
    """An indicator of this year from what every agency counted, or these, as a replay computes it."""
    year = town.clock.now().year
    answers = [await (await town.whole(agency)).get(f"/counts?year={year}") for agency in agencies or town.agencies]
    return load_programme("sl-fsu").indicators[indicator].value(Counted(answers))


async def alarms(desk: Desk, case_id: str) -> dict[str, str]:
    rows = (await desk.get("/alarms?limit=200"))["items"]
    return {one["kind"]: one["post"] for one in rows if one["case_id"] == case_id and not one["resolved_at"]}


# --- the scenario ----------------------------------------------------------------------------------------------------------


AT_PAGE_1 = {
    "hurt_now": "no", "age_band": "10-14", "sex": "female", "at_least": 20, "at_most": 20, "language": "kri",
    "came_with": "relative", "safe_adult": "here", "safe_to_return": "no", "incident_type": "rape",
}  # fmt: skip
# What each is told of a girl of 13, by whether she lets the ministry's worker know more than the law has told.
REQUEST = REQUEST_FIELDS - {"arrival_code_hash"}
TOLD = {
    "yes": {
        "health": {"windows", "needs", "child", "incident_class", "travel", "report_form"},
        "social_welfare": {"needs", "child", "incident_class", "safety"},
        "legal": set(),
    },
    "no": {
        "health": {"windows", "needs", "child", "incident_class", "travel", "report_form"},
        "social_welfare": {"child"},
        "legal": set(),
    },
}


@pytest.mark.parametrize("about_the_worker", ["yes", "no"])
async def test_a_girl_of_thirteen_is_helped_by_three_who_are_told_three_different_things(
    town: ProgrammeTown, about_the_worker: str
) -> None:
    """The unit's own pages: she agrees, an adult is safe, and she hears what the law has told before she is asked for more."""
    desk = await town.at_work("police", UNIT)
    await girl(town, desk)  # somebody before her: with the one keystore of these tests a case's number goes by how many there were
    by_law = await of_agency(town, "police", "reports_by_law")
    case_id, sent = await by_the_pages(town, about_the_worker, CENTRE)
    there = await at_the_three(town)
    assert set(sent) == set(there)  # one for each, and no more
    held = {agency: await town.stands(there[agency], one, "issued") for agency, one in sent.items()}
    # What the law asks for: told to the worker alone, with or without her yes, and by itself where she says no.
    consents = {one["recipient"]: one for one in (await desk.get(f"/cases/{case_id}/consents"))["items"]}
    assert {to: one["legal_duty"] for to, one in consents.items()} == {
        "health": None, "social_welfare": "child_protection_law", "legal": None,
    }  # fmt: skip
    basis = {"yes": "consent", "no": "legal_basis"}[about_the_worker]
    assert {to: one["content"]["basis"] for to, one in held.items()} == {
        "health": "consent", "social_welfare": basis, "legal": "consent",
    }  # fmt: skip
    assert await of_agency(town, "police", "reports_by_law") - by_law == {"yes": 0, "no": 1}[about_the_worker]
    # What each holds, and nothing beside it.
    asked = {"yes": ["child_protection", "psychosocial"], "no": ["child_protection"]}[about_the_worker]
    assert {to: sorted(one["services"]) for to, one in held.items()} == {
        "health": ["acute_care", "examination_and_report"], "social_welfare": asked, "legal": ["legal_aid"],
    }  # fmt: skip
    fields = {to: {name for name, said in one["content"].items() if said not in (None, [], {})} for to, one in held.items()}
    assert {to: found - REQUEST for to, found in fields.items()} == TOLD[about_the_worker]
    assert held["health"]["content"]["child"] == {"assent": "yes", "safe_adult_present": "yes"}
    assert {to: one["content"].get("incident_class") for to, one in held.items()} == {
        "health": "rape", "social_welfare": "gbv" if about_the_worker == "yes" else None, "legal": None,
    }  # fmt: skip
    # No number of hers is the same at two of them, and none of the others' lies at legal aid.
    views = {"police": await desk.get(f"/cases/{case_id}")} | {
        to: await there[to].get(f"/cases/{one['case_id']}") for to, one in held.items()
    }
    for of in ("id", "number"):
        assert len({one[of] for one in views.values()}) == len(views), of
    assert len({one["content"]["pairwise_code"] for one in held.values()}) == len(held)
    whole = repr(await tables_of(town["legal"].database))
    assert (views["legal"]["number"] in whole, "'legal_aid'" in whole) == (True, True)  # what is searched is what it holds, opened
    numbers = [one["number"] for to, one in views.items() if to != "legal"]
    ids = [one["id"] for of in (views, sent) for to, one in of.items() if to != "legal"]
    known = ["acute_care", "child_protection", "examination_and_report", CENTRE, SEAT]
    # Short words in quotes, as a column or a field has them: they stand in signatures by chance.
    known += [f"{quote}{word}{quote}" for word in ("10-14", "kri", "rape", "gbv") for quote in "'\""]
    assert [word for word in numbers + known if word in whole] == []
    assert {one.replace("-", "") for one in ids} & ids_in(whole) == set()


@pytest.mark.parametrize(
    ("centre", "tells_back"),
    [
        pytest.param(CENTRE, True, id="as she says"),
        pytest.param(PAPER_CENTRE, True, id="a centre on paper", marks=pytest.mark.long),
        pytest.param(CENTRE, False, id="feedback refused", marks=pytest.mark.long),
    ],
)
async def test_her_certificate_comes_back_as_a_code_and_none_of_the_three_asks_for_money(
    town: ProgrammeTown, centre: str, tells_back: bool
) -> None:
    """The same girl, from the unit's pages to the end of each request. What stands on paper is entered by another centre."""
    desk, there = await town.at_work("police", UNIT), await at_the_three(town)
    case_id, sent = await by_the_pages(town, "yes", centre)
    held = {agency: await town.stands(there[agency], one, "issued") for agency, one in sent.items()}
    came_at, path = town.clock.now(), f"/referrals/{sent['health']['id']}"
    if centre == PAPER_CENTRE:
        await desk.post(f"{path}/told-by-phone", {"post": "duty_nurse"})
        town.clock.advance(timedelta(hours=3))

    def at(moment: datetime) -> dict[str, str]:
        return {"entered_for": centre, "occurred_at": moment.isoformat()} if centre == PAPER_CENTRE else {}

    await there["health"].post(f"{path}/arrive", {"feedback": tells_back, **at(came_at)})
    for minutes, body in ((30, EXAMINED), (60, SIGNED), (90, {"step": "ready", "post": "duty_nurse"})):
        town.clock.advance(timedelta(minutes=30))
        at_centre = await step(there["health"], sent["health"], body, **at(came_at + timedelta(minutes=minutes)))
    ended_at = at(came_at + timedelta(minutes=90))
    await there["health"].post(f"{path}/close", {"outcome_code": "served", "fee_asked": False, **ended_at})
    for agency in ("social_welfare", "legal"):  # who hear nothing of it
        path = f"/referrals/{sent[agency]['id']}"
        await there[agency].post(f"{path}/arrive", {"feedback": tells_back})
        await there[agency].post(f"{path}/close", {"outcome_code": "served", "fee_asked": False})
        assert at_centre["custody_code"] not in repr(await tables_of(town[agency].database)), agency
    for agency, of in {"police": case_id, **{to: one["case_id"] for to, one in held.items()}}.items():
        assert (await (await town.whole(agency)).get(f"/cases/{of}/breaches"))["items"] == [], agency
    if not tells_back:
        await hears_nothing(town, desk, sent)
        return
    ends = {agency: await town.stands(desk, sent[agency], "closed") for agency in ("health", "legal")}
    assert {one["outcome_code"] for one in ends.values()} == {"served"}
    assert datetime.fromisoformat(ends["health"]["arrived_at"]) == came_at
    await town.settle()
    here = await desk.post(f"/referrals/{sent['health']['id']}/report")
    assert (here["status"], here["custody_code"]) == ("ready", at_centre["custody_code"])
    assert "Synthetic" not in json.dumps(here)  # who examined and who signed stays where it was written
    taken = {
        "step": "collected",
        "post": "duty_officer",
        "name": "Synthetic Fetcher",
        "custody_code": here["custody_code"],
        **FORM,
    }
    assert (await step(desk, sent["health"], taken))["status"] == "collected"


async def hears_nothing(town: ProgrammeTown, desk: Desk, sent: dict[str, Any]) -> None:
    """Neither that she came, nor how it ended, nor of her certificate, which she has in her hand."""
    await town.settle()
    for one in sent.values():
        mine = await desk.get(f"/referrals/{one['id']}")
        assert (mine["arrived_at"], mine["ended_at"], mine["outcome_code"]) == (None, None, None), one["recipient"]
    here = await desk.post(f"/referrals/{sent['health']['id']}/report")
    assert (here["status"], here["custody_code"]) == ("requested", None)


async def at_the_three(town: ProgrammeTown) -> dict[str, Desk]:
    """Who works where she is sent to."""
    places = {"health": CENTRE, "social_welfare": SEAT, "legal": OFFICE}
    return {agency: await town.at_work(agency, place) for agency, place in places.items()}


async def by_the_pages(town: ProgrammeTown, about_the_worker: str, centre: str) -> tuple[str, dict[str, Any]]:
    """She comes to the unit and is asked there: (the case, what was sent by its recipient). The ministry's worker is in."""
    await (await town.at_work("police", UNIT)).post("/seats", {"seat": WORKER, "presence": "present"})
    officer = await at_pages(town, "police", UNIT, Role.OFFICER)
    page = await officer.open("/cases/new")
    page = await fill_page(officer, page, **AT_PAGE_1)
    case_id = page.path.split("/")[2]
    assert "You are under 18, so the law says we must tell them that a child needs safety." in page.words  # before she is asked
    answers: dict[str, Any] = {f"answer_{agency}": "yes" for agency in ("health", "legal", "back")}
    items = {"items_health": ["needs", "type"], "items_social_welfare": ["needs", "type", "safety", "prog"]}
    answers |= {"answer_social_welfare": about_the_worker, "how": "thumb", "language": "kri", **items}
    page = await fill_page(officer, page, **answers)  # the child's own yes, and a safe adult's, with it
    page = await officer.send(
        page.form(page.path), care="acute_care", place=f"health/{centre}", mode="police_vehicle", escort="officer",
        expected="10:30", carries="code",
    )  # fmt: skip
    assert page.path.startswith("/referrals/"), page.words
    out = (await (await town.whole("police")).get("/referrals?direction=out&limit=200"))["items"]
    of_case = [one for one in out if one["case_id"] == case_id]
    found = {one["recipient"]: one for one in of_case}
    assert len(found) == len(of_case)
    return case_id, found


async def of_agency(town: ProgrammeTown, agency: str, measure: str) -> int:
    """What an agency has counted of a measure this year."""
    rows = (await (await town.whole(agency)).get(f"/counts?year={town.clock.now().year}"))["counts"]
    return sum(row["count"] for row in rows if row["measure"] == measure)


async def test_the_worker_shares_the_office_and_not_the_file(town: ProgrammeTown) -> None:
    desk, worker = await town.at_work("police", UNIT), await town.at_work("social_welfare", SEAT)
    case = await girl(town, desk)
    await agrees(desk, case[0], "social_welfare", "needs")
    sent = await asks(town, desk, case, "social_welfare", SEAT, "psychosocial", urgency="urgent")
    hers = (await worker.get(f"/referrals/{sent['id']}"))["case_id"]
    assert hers != case[0]
    for path in (f"/cases/{case[0]}", f"/cases/{case[0]}/timeline", f"/cases/{case[0]}/incidents", f"/cases/{case[0]}/consents"):
        assert (await worker.ask("GET", path)).status_code == 404
    at_police = Desk(town["police"].client, worker.token)  # with her own account she is nobody there
    assert (await at_police.ask("GET", f"/cases/{case[0]}")).status_code == 401
    assert (await desk.ask("GET", f"/cases/{hers}")).status_code == 404
    there = load_programme("sl-fsu").facilities
    assert (there["ministry_seat"].colocated_with, there["ministry_seat"].agency) == ("fsu", "social_welfare")
    way = town["police"].here.network.agencies["social_welfare"].facilities[SEAT].journeys[UNIT]
    assert (way.km, way.minutes) == (0, 0)  # one roof


async def test_a_caregiver_who_is_suspected_is_replaced(town: ProgrammeTown) -> None:
    desk, nurse = await at_pages(town, "police", UNIT, Role.OFFICER), await town.whole("health")
    page = await desk.open("/cases/new")
    page = await desk.send(
        page.form("/cases/new"), hurt_now="no", age_band="10-14", sex="female", at_least=18, at_most=20, language="kri",
        came_with="relative", safe_adult="no", incident_type="rape",
    )  # fmt: skip
    case_id = page.path.split("/")[2]
    page = await desk.send(
        page.form(page.path), answer_health="yes", answer_social_welfare="no", answer_legal="no", answer_back="yes", how="thumb",
        language="kri", assent="yes", caregiver="not_this_one", stands_in="neighbour",
    )  # fmt: skip
    page = await desk.send(
        page.form(page.path), care="acute_care", place=f"health/{CENTRE}", mode="police_vehicle", escort="officer",
        expected="10:30", carries="code",
    )  # fmt: skip
    assert page.path.startswith("/referrals/"), page.words
    there = await town.stands(nurse, {"id": page.path.split("/")[2]}, "issued")
    assert there["content"]["child"] == {"assent": "yes", "safe_adult_present": "yes"}
    assert [word for word in ("neighbour", "not_this_one", "relative") if word in json.dumps(there)] == []
    assert "Stands in: A neighbour" in (await desk.open(f"/cases/{case_id}")).words


# --- a seat is reported, and never assumed -----------------------------------------------------------------------------------


async def refer_page(town: ProgrammeTown, unit: str, *agencies: str) -> Page:
    """The page on which a desk chooses, for a woman who lets these agencies know."""
    desk, visitor = await town.at_work("police", unit), await at_pages(town, "police", unit, Role.OFFICER)
    case_id, _incident = await girl(town, desk, "25-49")
    for agency in agencies:
        await agrees(desk, case_id, agency, "needs")
    return await visitor.open(f"/cases/{case_id}/refer")


def offered(page: Page) -> list[str]:
    (form,) = [one for one in page.forms if one.action.endswith("/refer")]
    return form.choices["place"]


@pytest.mark.parametrize(("how", "number"), [("called_away", 11), ("on_leave", 12), ("not_posted", 13)])
async def test_an_empty_seat_leads_to_the_district_office_by_whoever_sends(town: ProgrammeTown, how: str, number: int) -> None:
    unit, seat = f"fsu_{number}", f"ministry_seat_{number}"
    desk = await town.at_work("police", unit)
    page = await refer_page(town, unit, "social_welfare")
    assert "Ministry social worker: nobody has said today who is there." in page.words
    await desk.post("/seats", {"seat": WORKER, "presence": "present"})
    page = await refer_page(town, unit, "social_welfare")
    assert offered(page)[0] == f"social_welfare/{seat}"
    assert "this seat is empty" not in page.words
    assert "Under this roof" in page.words
    await desk.post("/seats", {"seat": WORKER, "presence": how})
    page = await refer_page(town, unit, "social_welfare")
    assert "Ministry social worker: this seat is empty today. Offered instead: District office." in page.words
    facilities = town["police"].here.network.agencies["social_welfare"].facilities
    first = offered(page)[0].partition("/")[2]
    assert (facilities[first].kind, facilities[first].district) == ("district_office", town["police"].here.facility(unit).district)
    assert f"social_welfare/{seat}" in offered(page)  # it is not taken away: the desk decides
    (said,) = [one for one in (await desk.get("/seats"))["items"] if one["seat"] == WORKER]
    assert (said["presence"], said["instead"]) == (how, ["district_office"])
    both = await refer_page(town, unit, "health", "social_welfare")  # told as well, beside care
    assert f"social_welfare/{first}" in str([form.fields for form in both.forms])


async def test_what_went_to_an_empty_seat_stays_there(town: ProgrammeTown) -> None:
    desk = await town.at_work("police", UNIT)
    case = await girl(town, desk)
    await agrees(desk, case[0], "social_welfare", "needs")
    await desk.post("/seats", {"seat": WORKER, "presence": "on_leave"})
    sent = await asks(town, desk, case, "social_welfare", SEAT, "psychosocial", urgency="urgent")
    await town.pass_by(hours=25)
    there = await (await town.whole("social_welfare")).get(f"/referrals/{sent['id']}")
    assert (there["facility"], there["status"]) == (SEAT, "issued")  # software re-addresses nothing: posts are told
    assert "unacknowledged" in await alarms(await town.whole("police"), case[0])


async def test_presence_is_counted_from_what_was_said_and_nothing_is_assumed(town: ProgrammeTown) -> None:
    desk, head = await town.at_work("police", "fsu_10"), await town.whole("police")
    while town.clock.now().weekday() != 4:  # to a Friday: the seat is not counted on the two days after it, the unit is
        await town.pass_by(days=1)
    await (await town.at_work("police", "fsu_11")).post(
        "/seats", {"seat": OWN, "presence": "present"}
    )  # days count from a first word
    before = await of_unit(town, "fsu_10")
    await desk.post("/seats", {"seat": WORKER, "presence": "present"})
    await desk.post("/seats", {"seat": OWN, "presence": "present"})
    await town.pass_by(days=3)
    after = await of_unit(town, "fsu_10")
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 3, 1]  # seat days, present, unit days, staffed
    yesterday = (town.clock.now() - timedelta(days=3)).date().isoformat()
    await desk.post("/seats", {"seat": WORKER, "presence": "called_away", "on": yesterday})  # the later word stands
    assert (await of_unit(town, "fsu_10"))[1] == before[1]
    assert await counted(town, "social_worker_presence_pct") is not None
    assert "social_worker_presence_pct" not in load_programme("sl-fsu").expect  # reported, not assumed: nothing is expected of it
    board = await (await at_pages(town, "police", None, Role.SUPERVISOR)).open("/seats")
    assert "Nobody has said" in board.words
    status, why = await refused(desk.post("/seats", {"seat": "lawyer", "presence": "present"}))
    assert (status, why) == (409, "There is no such seat at this unit.")
    for days in (1, -32):
        on = (town.clock.now() + timedelta(days=days)).date().isoformat()
        assert (await refused(desk.post("/seats", {"seat": WORKER, "presence": "present", "on": on})))[0] == 409
    assert (await refused(desk.post("/seats", {"seat": WORKER, "presence": "present", "facility": UNIT})))[0] == 404
    assert (await refused(head.post("/seats", {"seat": WORKER, "presence": "present"})))[0] == 409  # of which unit?


async def of_unit(town: ProgrammeTown, unit: str) -> list[int]:
    rows = (await (await town.whole("police")).get(f"/counts?year={town.clock.now().year}"))["counts"]
    there = {row["measure"]: row["count"] for row in rows if row["place"] == unit}
    return [there.get(name, 0) for name in ("seat_days", "seat_days_present", "unit_days", "unit_days_staffed")]


# --- fees and forms ------------------------------------------------------------------------------------------------------------


async def test_a_fee_is_asked_about_on_closing_kept_as_a_breach_and_counted_once(town: ProgrammeTown) -> None:
    desk, nurse, pages = (
        await town.at_work("police", UNIT), await town.at_work("health", CENTRE),
        await at_pages(town, "health", CENTRE, Role.CLINICIAN),
    )  # fmt: skip
    ends = ("police", "health")
    before, expected = await counted(town, "fee_charged", *ends) or 0, load_programme("sl-fsu").expect["fee_charged"]
    assert expected.is_met(0)
    case = await girl(town, desk)
    await agrees(desk, case[0], "health", "needs", "fb")
    sent = await to_centre(town, desk, case)
    await nurse.post(f"/referrals/{sent['id']}/arrive", {"feedback": True})
    page = await pages.open(f"/referrals/{sent['id']}/close")
    assert "This is free" in page.words
    page = await pages.send(page.form(page.path), outcome_code="served", feedback="yes")
    assert (page.status, "Say whether money was asked for" in page.words) == (422, True)  # it is not closed before that is said
    assert (await nurse.get(f"/referrals/{sent['id']}"))["status"] == "arrived"
    page = await pages.send(page.form(f"/referrals/{sent['id']}/close"), outcome_code="served", feedback="yes", fee="yes")
    assert (await nurse.get(f"/referrals/{sent['id']}"))["status"] == "closed"  # care, and its end, go on
    there = await nurse.get(f"/referrals/{sent['id']}")
    (breach,) = (await nurse.get(f"/cases/{there['case_id']}/breaches"))["items"]
    assert (breach["code"], breach["by_whom"]) == ("fee_demanded", "health")
    in_charge = await town.at_work("health", CENTRE, Role.SUPERVISOR)
    assert (await alarms(in_charge, there["case_id"]))["breach"] == "centre_in_charge"
    assert await counted(town, "fee_charged", *ends) == before + 1
    assert not expected.is_met(await counted(town, "fee_charged", *ends))
    await step(desk, sent, {"step": "fee_asked", "amount": 5000})  # she told the unit too: the same fee
    await desk.post(f"/cases/{case[0]}/breaches", {"code": "fee_demanded", "by_whom": "health"})
    assert await counted(town, "fee_charged", *ends) == before + 1
    await step(nurse, sent, {"step": "fee_asked", "amount": 5000})
    assert await counted(town, "fee_charged", *ends) == before + 1
    other = await girl(town, desk)
    await agrees(desk, other[0], "health", "needs")
    await step(desk, await to_centre(town, desk, other), {"step": "fee_asked", "amount": 100})  # told to the unit alone
    assert await counted(town, "fee_charged", *ends) == before + 2
    await town.settle()
    assert "fee_" not in json.dumps((await desk.get(f"/cases/{case[0]}/timeline?limit=200"))["items"])  # and to nobody else


async def test_a_fee_at_legal_aid_is_a_breach_there_too(town: ProgrammeTown) -> None:
    desk, lawyer = await town.at_work("police", UNIT), await town.at_work("legal", OFFICE)
    pages = await at_pages(town, "legal", OFFICE, Role.SOCIAL_WORKER)
    before = await of_agency(town, "legal", "fees_charged")
    case = await girl(town, desk, "25-49")
    await agrees(desk, case[0], "legal", "fb")
    sent = await asks(town, desk, case, "legal", OFFICE, "legal_aid", urgency="urgent")
    await lawyer.post(f"/referrals/{sent['id']}/arrive", {"feedback": True})
    page = await pages.open(f"/referrals/{sent['id']}/close")
    assert "This is free" in page.words
    await pages.send(page.form(page.path), outcome_code="served", feedback="yes", fee="yes")
    there = await lawyer.get(f"/referrals/{sent['id']}")
    assert there["status"] == "closed"
    (breach,) = (await lawyer.get(f"/cases/{there['case_id']}/breaches"))["items"]
    assert breach["code"] == "fee_demanded"
    assert "breach" in await alarms(await town.whole("legal"), there["case_id"])
    assert await of_agency(town, "legal", "fees_charged") == before + 1
    assert not load_programme("sl-fsu").expect["fee_charged"].is_met(await counted(town, "fee_charged"))
    await town.settle()
    assert "fee_" not in json.dumps((await desk.get(f"/cases/{case[0]}/timeline?limit=200"))["items"])


async def test_legal_aid_is_asked_within_its_agreement_alone(town: ProgrammeTown) -> None:
    desk, lawyer = await town.at_work("police", UNIT), await town.at_work("legal", OFFICE)
    case = await girl(town, desk, "25-49")
    await agrees(desk, case[0], "legal")
    (there,) = (await lawyer.get("/agreements"))["items"]
    assert (there["signed_with"], there["services"], there["standing"]) == (["police"], ["legal_aid"], "in_force")
    worker = await town.at_work("social_welfare", SEAT)  # whose ministry has signed none, and has no way there
    hers = await worker.post("/cases", {})
    assert (await refused(agrees(worker, hers["id"], "legal")))[0] == 409
    await asks(town, desk, case, "legal", OFFICE, "legal_aid", urgency="urgent")
    assert (await lawyer.get("/agreements"))["items"][0]["open_now"] == there["open_now"] + 1


async def test_an_old_form_is_handed_back_with_its_reason_and_care_goes_on(town: ProgrammeTown) -> None:
    desk, nurse = await town.at_work("police", UNIT), await town.at_work("health", CENTRE)
    case = await girl(town, desk)
    await agrees(desk, case[0], "health", "needs", "fb")
    sent = await to_centre(town, desk, case, report_form={"form": "medical_form", "form_version": 1})
    await nurse.post(f"/referrals/{sent['id']}/arrive", {"feedback": True})
    status, why = await refused(step(nurse, sent, SIGNED))
    assert (status, "version 2" in why) == (409, True)
    await step(nurse, sent, EXAMINED)
    town.clock.advance(timedelta(minutes=1))
    await step(nurse, sent, {"step": "handed_back"})
    await town.settle()
    here = await desk.post(f"/referrals/{sent['id']}/report")
    assert (here["status"], here["facts"][-1]["said"]["reason_code"]) == ("handed_back", "old_version")
    town.clock.advance(timedelta(minutes=1))
    assert (await step(nurse, sent, SIGNED, **FORM))["status"] == "signed"  # nobody was examined twice


async def test_the_doctor_is_far_and_a_suspect_is_held_for_ten_days(town: ProgrammeTown) -> None:
    desk, nurse = await town.at_work("police", LUNSAR), await town.at_work("health", CENTRE)
    head = await town.at_work("police", LUNSAR, Role.SUPERVISOR)
    case = await girl(town, desk)
    await agrees(desk, case[0], "health", "needs", "fb")
    sent = await to_centre(town, desk, case)
    held_at = town.clock.now()
    await nurse.post(f"/referrals/{sent['id']}/arrive", {"feedback": True})
    await step(nurse, sent, EXAMINED)
    limit = datetime.fromisoformat((await step(desk, sent, {"step": "held"}))["limit_at"])
    assert limit - held_at == timedelta(days=10)
    await step(nurse, sent, {"step": "travelled", "who": "signer", "km": 30, "mode": "car"})
    await town.pass_by(days=8)
    assert "report_before_limit" in await alarms(head, case[0])  # three days before
    before = await counted(town, "unsigned_at_limit") or 0
    await town.pass_by(days=3)
    assert await counted(town, "unsigned_at_limit") == before + 1
    assert (await step(nurse, sent, SIGNED))["status"] == "signed"  # late, and signed all the same


# --- two files ------------------------------------------------------------------------------------------------------------------


async def test_an_accused_child_has_two_files_and_nothing_joins_them(town: ProgrammeTown) -> None:
    desk, pages, nurse = (
        await town.at_work("police", UNIT), await at_pages(town, "police", UNIT, Role.OFFICER), await town.at_work("health", CENTRE)
    )  # fmt: skip
    name = "Synthetic Accused Child"
    case = await girl(town, desk)
    entry = await desk.post("/offenders", {"who": name, "what": "warned", "on": town.clock.now().date().isoformat()})
    for to in ("health", "social_welfare", "legal"):
        await agrees(desk, case[0], to, "needs", "fb")
    sent = await to_centre(town, desk, case)
    others = {
        "health": sent, "social_welfare": await asks(town, desk, case, "social_welfare", SEAT, "child_protection"),
        "legal": await asks(town, desk, case, "legal", OFFICE, "legal_aid"),
    }  # fmt: skip
    await town.settle()
    read = [await desk.get(f"/offenders/{entry['id']}"), await desk.get("/offenders")]
    assert [one for one in (case[0], case[1], sent["id"]) if one in json.dumps(read)] == []
    of_case = [
        f"/cases/{case[0]}{part}" for part in ("", "/timeline?limit=200", "/incidents", "/consents", "/complaints", "/breaches")
    ]
    told = [await desk.get(path) for path in of_case] + [await desk.get("/cases?limit=200"), await desk.get("/referrals?limit=200")]
    assert [word for word in (entry["id"], name, "offender") if word in json.dumps(told)] == []
    for path in (f"/cases/{case[0]}", f"/referrals/{sent['id']}", "/cases"):
        page = await pages.open(path)
        assert [one for one in (entry["id"], name) if one in page.words + str(page.links)] == [], path
    for path in ("/offenders", f"/offenders/{entry['id']}"):
        page = await pages.open(path)
        assert [link for link in page.links if link.startswith(("/cases/", "/referrals/"))] == [], path
    whole = json.dumps([await nurse.get(f"/referrals/{sent['id']}"), (await nurse.get("/cases?limit=200"))["items"]])
    assert [word for word in (entry["id"], name, "offender", "accused") if word in whole] == []
    own = await tables_of(town["police"].database)
    assert (name in repr(own), UUID(entry["id"]).hex in ids_in(repr(own))) == (True, True)  # it is found where it lies
    for to, one in others.items():  # the worker shares the office: of the entry nothing lies at any of the three, opened
        held = repr(await tables_of(town[to].database))
        assert UUID(one["id"]).hex in ids_in(held), to
        assert (name in held, UUID(entry["id"]).hex in ids_in(held)) == (False, False), to
    head = await at_pages(town, "police", None, Role.SUPERVISOR)
    found = await head.open("/look-up")  # asks for a case's own items, and looks into no register
    looked = [name for form in found.forms if form.action == "/look-up" for name in form.fields]
    assert looked
    assert [name for name in looked if "offender" in name or "who" in name] == []
    routes = {getattr(route, "path", "") for route in town["police"].app.routes}
    assert [path for path in routes if "offender" in path and ("case" in path or "export" in path)] == []


async def test_a_family_that_asks_to_settle_is_written_down_and_nothing_is_settled(town: ProgrammeTown) -> None:
    desk, head = await town.at_work("police", UNIT), await town.at_work("police", UNIT, Role.SUPERVISOR)
    case = await girl(town, desk)
    complaint = await desk.post(f"/cases/{case[0]}/complaints", {})
    await desk.post(f"/cases/{case[0]}/progress", {"code": "pressure_to_settle"})
    kept = await desk.post(f"/cases/{case[0]}/breaches", {"code": "mediation_attempted", "by_whom": "family"})
    assert kept["rules"] == ["no_mediation"]
    assert (await alarms(head, case[0]))["breach"] == "unit_head"
    refusal = await desk.ask("POST", f"/cases/{case[0]}/complaints/{complaint['id']}/steps", {"code": "settled"})
    assert refusal.status_code == 422  # there is no such step, and no such end
    (stands,) = (await desk.get(f"/cases/{case[0]}/complaints"))["items"]
    assert stands["state"] not in ("settled", "withdrawn")


# --- on paper, and without feedback ---------------------------------------------------------------------------------------------


async def test_a_unit_on_paper_is_entered_by_another_with_its_own_times(town: ProgrammeTown) -> None:
    hub, nurse = await town.at_work("police", HUB), await town.at_work("health", CENTRE)
    case_id = (
        await hub.post("/cases", {"facility": DARK_UNIT, "needs": {"age_band": "18-24", "sex": "female", "language": "tem"}})
    )["id"]
    at = town.clock.now() - timedelta(hours=9)
    body = {
        "incident_type": "rape",
        "earliest_at": (at - timedelta(hours=5)).isoformat(),
        "latest_at": (at - timedelta(hours=5)).isoformat(),
    }
    incident = (await hub.post(f"/cases/{case_id}/incidents", body))["id"]
    await agrees(hub, case_id, "health", "needs", "fb")
    sent = await asks(
        town, hub, (case_id, incident), "health", CENTRE, "acute_care", entered_for=DARK_UNIT, occurred_at=at.isoformat()
    )
    there = await nurse.get(f"/referrals/{sent['id']}")
    assert datetime.fromisoformat(there["issued_at"]) == at
    await hub.post("/seats", {"seat": WORKER, "presence": "not_posted", "facility": DARK_UNIT, "on": at.date().isoformat()})
    await nurse.post(f"/referrals/{sent['id']}/arrive", {"feedback": True})
    await nurse.post(f"/referrals/{sent['id']}/close", {"outcome_code": "served", "fee_asked": False})
    assert (await town.stands(hub, sent, "closed"))["outcome_code"] == "served"


async def test_she_refuses_feedback_and_the_unit_learns_nothing(town: ProgrammeTown) -> None:
    desk, nurse = await town.at_work("police", UNIT), await town.at_work("health", CENTRE)
    case = await girl(town, desk, "25-49")
    await agrees(desk, case[0], "health", "needs", "fb")  # yes at the unit, no when she is asked again
    sent = await to_centre(town, desk, case)
    for act in ("acknowledge", "accept"):
        await nurse.post(f"/referrals/{sent['id']}/{act}")
    await nurse.post(f"/referrals/{sent['id']}/arrive", {"feedback": False})
    await nurse.post(f"/referrals/{sent['id']}/close", {"outcome_code": "served", "fee_asked": False})
    await town.settle()
    await town.pass_by(days=8)
    await town.settle()
    await town.watch()
    mine = await desk.get(f"/referrals/{sent['id']}")
    assert (mine["arrived_at"], mine["outcome_code"], mine["flags"], mine["no_feedback"]) == (None, None, [], True)
    assert await alarms(await town.whole("police"), case[0]) == {}
