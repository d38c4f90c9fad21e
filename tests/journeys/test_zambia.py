"""Zambia, Victim Support Units with emergency contraception (domain guide 4.1, practice guide "The six scenarios, made real"): each
story on the network that the profile makes, over a real Kafka, each agency on a PostgreSQL database of its own.

What another agency learns is read from that agency's own records through its API, and so is what it must not learn.

| story | test |
|---|---|
| a girl of 13, the aunt with her suspected, another adult | `test_a_girl_of_thirteen_is_cared_for_and_another_adult_stands_in` |
| acceptance: a woman, 70 hours, stock 1, health yes, social welfare no | `test_a_woman_is_served_and_each_end_knows_its_part` |
| the whole scenario with a clinic on paper, and with feedback refused (long tier) | the same |
| a boy | `test_a_boy_is_given_nothing_at_the_desk_and_the_same_care_at_the_clinic` |
| it happened again while the first request is open | `test_what_happened_again_is_a_request_of_its_own_beside_the_open_one` |
| a child under ten; one-stop centre, one computer, three files | `test_a_one_stop_centre_has_one_computer_and_files_apart` |
| party on paper: clinic without a computer | `test_a_clinic_on_paper_is_told_by_phone_and_written_for_by_its_hub` |
| feedback refused | `test_she_refuses_feedback_and_the_desk_learns_nothing_and_its_clocks_end` |
| her mother asks to withdraw the complaint | `test_a_mother_withdraws_the_complaint_and_care_goes_on` |
| a clerk demands a police report | `test_a_police_report_that_is_demanded_is_a_breach_and_care_goes_on` |
| 119:59, 120:00, 120:01, each referred all the same | `test_the_120th_hour_belongs_to_it_and_whoever_is_later_is_cared_for` |
| expired stock; stock 0 leads to health | `test_an_expired_batch_is_given_to_nobody_and_an_empty_box_leads_to_care` |
| expired certificate | `test_an_expired_certificate_refuses_the_dose_and_keeps_the_request` |
| vomited dose, second dose | `test_a_vomited_dose_is_replaced_and_a_second_one_asks_for_a_reason` |
| EC yes, health no | `test_a_dose_without_a_request_is_whole_and_nobody_asks_again` |
| one hour without a person at the clinic | `test_after_an_hour_unseen_posts_are_told_and_people_choose_another_place` |
| the broker away for three hours | `test_the_broker_is_away_for_three_hours_and_deadlines_count_from_what_happened` |
| who is identified stands in no queue | `tests/pages/test_fast_track.py` |
| dispensing: an incident's range, a certificate's last day, two who count | `tests/api/test_dispensing.py` (on no wire) |
| a parcel, a count, what went wrong, a month | `test_what_a_station_tells_of_its_box_reaches_the_clinic_without_anybody` |
| the rest of supplies from the clinic to a station | `tests/api/test_supplies.py` (in this process) |
| withdrawal at the station, pressure, reopening, breaches | `tests/api/test_complaints.py` (in this process) |
"""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from agencies import Desk, Refused, consent, refer
from box import EC, came, certify, count, give, left, stock
from programme_town import ProgrammeTown, programme_town
from signing_in import settled_account, sign_in
from visitor import Visitor

from shared.casework.accounts.commands import find_account
from shared.contracts.casework.codes import Role
from shared.kit.local.postgres_databases import PostgresDatabases

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]  # the first one starts the broker

CENTRAL, HUB, STATION_4, STATION_5 = "ndola_central_vsu", "vsu_station_3", "vsu_station_4", "vsu_station_5"
CLINIC, PAPER_CLINIC, PAPER_HUB, HOSPITAL = "ndola_clinic", "masaiti_clinic", "health_facility_3", "health_facility_5"
OFFICE = "ndola_district_office"
CENTRE, CENTRE_DESK, CENTRE_WORKER = "one_stop_centre_1", "one_stop_police_desk_1", "one_stop_welfare_desk_1"
FINDINGS = (
    "sti_prophylaxis",
    "injury_care",
    "tetanus",
    "none_in_stock",
)  # lines of care that stand nowhere but in the clinic's list


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(postgres: PostgresDatabases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ProgrammeTown]:
    async with programme_town("zm-vsu-ec", postgres, tmp_path_factory.mktemp("zambia")) as made:
        yield made


async def officer(town: ProgrammeTown, station: str, **held: Any) -> Desk:
    """A certified officer of a station."""
    name = town.name()
    desk = await town["police"].sign_in(name, Role.OFFICER, station)
    await certify(town, await town.at_work("police", station, Role.SUPERVISOR), name, **held)
    return desk


async def asks(town: ProgrammeTown, desk: Desk, case: tuple[str, str], place: str = CLINIC, **more: Any) -> Any:
    """A request for acute care that has come to the place."""
    sent = await refer(desk, *case, "health", to_facility=place, **more)
    await town.stands(await town.whole("health"), sent, "issued")
    return sent


async def refused(work: Any) -> tuple[int, str]:
    """How a request is refused: status and sentence."""
    with pytest.raises(Refused) as error:
        await work
    return error.value.status, error.value.problem["detail"]


async def known(desk: Desk) -> set[str]:
    """The ids of every case and referral that an agency's account finds."""
    return {row["id"] for what in ("cases", "referrals") for row in (await desk.get(f"/{what}?limit=200"))["items"]}


async def all_of(desk: Desk, case_id: str) -> str:
    """Everything that an agency's API tells of a case and of its referrals, as one text."""
    paths = [
        f"/cases/{case_id}",
        f"/cases/{case_id}/timeline?limit=200",
        f"/cases/{case_id}/incidents",
        f"/cases/{case_id}/consents",
    ]
    found = [await desk.get(path) for path in paths]
    every = (await desk.get("/referrals?limit=200"))["items"]
    found += [await desk.get(f"/referrals/{row['id']}") for row in every if row["case_id"] == case_id]
    found += [one for one in (await desk.get("/alarms?limit=200"))["items"] if one["case_id"] == case_id]
    return json.dumps(found)


async def kinds_of_alarms(desk: Desk, case_id: str) -> set[str]:
    """Alarms about a case that nobody has resolved."""
    return {a["kind"] for a in (await desk.get("/alarms?limit=200"))["items"] if a["case_id"] == case_id and not a["resolved_at"]}


async def hours_left(town: ProgrammeTown, desk: Desk, referral: Any) -> dict[str, float]:
    """The clocks of care as the recipient has them, in hours from now."""
    windows = (await desk.get(f"/referrals/{referral['id']}"))["content"]["windows"]
    left_ = {one["care"]: datetime.fromisoformat(one["until"]) - town.clock.now() for one in windows}
    return {care: span / timedelta(hours=1) for care, span in left_.items()}


async def served(town: ProgrammeTown, nurse: Desk, referral: Any, *, feedback: bool | None = True, **written: str) -> None:
    """From seen to closed, with what was given kept at the clinic; `written` says for whom, and of when, on paper."""
    for act in ("acknowledge", "accept"):
        await nurse.post(f"/referrals/{referral['id']}/{act}", written)
    body = {} if feedback is None else {"feedback": feedback}
    await nurse.post(f"/referrals/{referral['id']}/arrive", {**body, **written})
    at = {"occurred_at": written["occurred_at"]} if written else {}
    for care, result in (("injury_care", "given"), ("sti_prophylaxis", "given"), ("tetanus", "none_in_stock")):
        await nurse.post(f"/referrals/{referral['id']}/care", {"care": care, "result": result, **at})
    await nurse.post(f"/referrals/{referral['id']}/close", {"outcome_code": "served", **written})


async def at_pages(town: ProgrammeTown, agency: str, place: str, role: Role) -> Visitor:
    """Somebody signed in before the pages at a place."""
    name = town.name()
    issued = await settled_account(town[agency], name, role)
    async with town[agency].database.write() as tx:
        (await find_account(tx, name)).facility = place
    visitor = Visitor(town[agency].app)
    await sign_in(visitor, issued, name)
    return visitor


# --- the scenario ----------------------------------------------------------------------------------------------------------


async def test_a_girl_of_thirteen_is_cared_for_and_another_adult_stands_in(town: ProgrammeTown) -> None:
    desk, nurse = await at_pages(town, "police", CENTRAL, Role.OFFICER), await town.at_work("health", CLINIC)
    program = await officer(town, CENTRAL)
    await stock(program, 1)
    page = await desk.open("/cases/new")
    page = await desk.send(
        page.form("/cases/new"), hurt_now="no", age_band="10-14", sex="female", at_least=18, at_most=20, language="bem",
        came_with="relative", safe_adult="no", incident_type="rape",
    )  # fmt: skip
    assert page.path.endswith("/consent"), page.words
    assert "Ask the child alone, away from whoever came along." in page.words
    case_id = page.path.split("/")[2]
    (incident,) = (await program.get(f"/cases/{case_id}/incidents"))["items"]
    await give(program, case_id, incident["id"])  # at her age it is given, by whoever is certified
    page = await desk.open(page.path)
    page = await desk.send(
        page.form(page.path), answer_health="yes", answer_social_welfare="yes", answer_back="yes", how="spoken", language="bem",
        assent="yes", caregiver="not_this_one", stands_in="neighbour",
    )  # fmt: skip
    page = await desk.send(
        page.form(page.path),
        care="acute_care",
        place=f"health/{CLINIC}",
        mode="car",
        escort="officer",
        expected="10:30",
        carries="code",
    )
    assert page.path.startswith("/referrals/"), page.words
    sent = {"id": page.path.split("/")[2]}
    there = await town.stands(nurse, sent, "issued")
    assert there["content"]["child"] == {"assent": "yes", "safe_adult_present": "yes"}
    assert [one["product"] for one in there["content"]["given"]] == [EC]  # as the preset has it, and she said yes to it
    assert (await hours_left(town, nurse, sent))["pep"] == 52
    out = (await (await town.whole("police")).get("/referrals?direction=out&limit=200"))["items"]
    (to_office,) = [one for one in out if one["case_id"] == case_id and one["recipient"] == "social_welfare"]
    told = await town.stands(await town.at_work("social_welfare", OFFICE), to_office, "issued")
    assert "child_protection" in told["services"]
    await served(town, nurse, sent)
    await town.stands(program, sent, "closed")
    await town.settle()
    told = await all_of(nurse, there["case_id"])
    assert [word for word in ("neighbour", "not_this_one", "relative", "stands_in") if word in told] == []
    assert "Stands in: A neighbour" in (await desk.open(f"/cases/{case_id}")).words
    assert [word for word in FINDINGS if word in await all_of(program, case_id)] == []


@pytest.mark.parametrize(
    ("clinic", "tells_back", "batch"),
    [
        pytest.param(CLINIC, True, "LAST-ONE", id="as she says"),
        pytest.param(PAPER_CLINIC, True, "LAST-ONE-2", id="a clinic on paper", marks=pytest.mark.long),
        pytest.param(CLINIC, False, "LAST-ONE-3", id="feedback refused", marks=pytest.mark.long),
    ],
)
async def test_a_woman_is_served_and_each_end_knows_its_part(
    town: ProgrammeTown, clinic: str, tells_back: bool, batch: str
) -> None:
    """From the box to the end of her request; what stands on paper is entered by another clinic."""
    on_paper = clinic == PAPER_CLINIC
    desk, pages = await officer(town, STATION_4), await at_pages(town, "police", STATION_4, Role.OFFICER)
    nurse, worker = await town.at_work("health", PAPER_HUB if on_paper else clinic), await town.whole("social_welfare")
    had, at_office = await left(desk), await known(worker)  # another story's parcel may lie there
    await stock(desk, 1, batch)
    case = await came(town, desk, 70, age_band="25-49")
    await give(desk, *case, batch=batch)
    page = await pages.open(f"/cases/{case[0]}/consent")
    answers: dict[str, Any] = {"answer_health": "yes", "items_health": ["needs", "type", "given"], "answer_social_welfare": "no"}
    page = await pages.send(page.form(page.path), answer_back="yes", how="spoken", language="bem", **answers)
    assert page.path.endswith("/refer"), page.words
    assert "The last answer was no" in (await pages.open(f"/cases/{case[0]}/consent")).words  # her no is kept, as her yes is
    status, sentence = await refused(refer(desk, *case, "social_welfare"))
    assert (status, "no consent in force for social_welfare" in sentence) == (422, True)
    form, services = {"form": "zp_form_32", "form_version": 1}, ["acute_care", "examination_and_report"]
    sent = await asks(town, desk, case, clinic, report_form=form, services=services)
    assert await left(desk) == had
    clocks = await hours_left(town, nurse, sent)
    assert (clocks["pep"], clocks["emergency_contraception"]) == (2, 50)
    there = await nurse.get(f"/referrals/{sent['id']}")
    assert [one["product"] for one in there["content"]["given"]] == [EC]
    assert there["content"]["incident_class"] == "rape"
    came_at, written = town.clock.now(), {}
    if on_paper:  # told by phone, and entered by its hub in the afternoon
        await desk.post(f"/referrals/{sent['id']}/told-by-phone", {"post": "duty_nurse"})
        await town.pass_by(hours=5)
        written = {"entered_for": clinic, "occurred_at": came_at.isoformat()}
    await served(town, nurse, sent, feedback=tells_back, **written)
    if tells_back:
        seen = await town.stands(desk, sent, "closed")
        assert (seen["outcome_code"], datetime.fromisoformat(seen["arrived_at"])) == ("served", came_at)
    await town.settle()
    if not tells_back:
        mine = await desk.get(f"/referrals/{sent['id']}")
        assert (mine["status"], mine["arrived_at"], mine["ended_at"], mine["outcome_code"]) == ("accepted", None, None, None)
    assert {"injury_care", "tetanus"} <= {one["care"] for one in (await nurse.get(f"/referrals/{sent['id']}/care"))["items"]}
    assert [word for word in FINDINGS if word in await all_of(desk, case[0])] == []
    at_clinic = await all_of(nurse, there["case_id"])
    assert [word for word in (batch, case[0], case[1]) if word in at_clinic] == []  # neither register nor the desk's own ids
    assert await known(worker) == at_office


async def test_a_boy_is_given_nothing_at_the_desk_and_the_same_care_at_the_clinic(town: ProgrammeTown) -> None:
    desk, nurse = await officer(town, CENTRAL), await town.at_work("health", CLINIC)
    await stock(desk, 1)
    boy = await came(town, desk, 20, age_band="15-17", sex="male")
    status, sentence = await refused(give(desk, *boy))
    assert (status, "He needs the same care: send him." in sentence) == (409, True)
    girl = await came(town, desk, 20, age_band="15-17")
    clocks = []
    for case in (boy, girl):
        await consent(desk, case[0], "health", "needs", "type", "fb")
        sent = await asks(town, desk, case)
        there = await nurse.get(f"/referrals/{sent['id']}")
        clocks.append((there["services"], there["urgency"], await hours_left(town, nurse, sent)))
        await served(town, nurse, sent)
        await town.stands(desk, sent, "closed")
    assert clocks[1][2].pop("emergency_contraception") == 100  # hers alone: he needs none
    assert clocks[0] == clocks[1]


async def test_what_happened_again_is_a_request_of_its_own_beside_the_open_one(town: ProgrammeTown) -> None:
    desk, nurse = await officer(town, CENTRAL), await town.at_work("health", CLINIC)
    await stock(desk, 2)
    case_id, first = await came(town, desk, 60)
    await give(desk, case_id, first)
    await consent(desk, case_id, "health", "needs", "given", "fb")
    before = await asks(town, desk, (case_id, first))
    at = (town.clock.now() - timedelta(hours=3)).isoformat()
    again = (await desk.post(f"/cases/{case_id}/incidents", {"incident_type": "rape", "earliest_at": at, "latest_at": at}))["id"]
    assert (await refused(refer(desk, case_id, first, "health")))[0] == 409  # for the first it is open already
    assert (await give(desk, case_id, again))["said"]["kind"] == "first"
    after = await asks(town, desk, (case_id, again))
    both = [await nurse.get(f"/referrals/{one['id']}") for one in (before, after)]
    assert [one["status"] for one in both] == ["issued", "issued"]
    assert both[0]["case_id"] == both[1]["case_id"]  # one woman, one file there
    assert [(await hours_left(town, nurse, one))["pep"] for one in (before, after)] == [12, 69]
    await served(town, nurse, after)
    await town.stands(desk, after, "closed")
    assert (await desk.get(f"/referrals/{before['id']}"))["status"] == "issued"  # nothing of the first was ended by it


async def test_a_one_stop_centre_has_one_computer_and_files_apart(town: ProgrammeTown) -> None:
    desk, nurse = await officer(town, CENTRE_DESK), await town.at_work("health", CENTRE)
    worker = await town.at_work("social_welfare", CENTRE_WORKER)
    await stock(desk, 1)
    case = await came(town, desk, 5, age_band="0-9")
    status, sentence = await refused(give(desk, *case))
    assert (status, "Send the child there at once" in sentence) == (409, True)
    await consent(desk, case[0], "health", "needs", "type", "fb")
    sent = await asks(town, desk, case, CENTRE)
    await consent(desk, case[0], "social_welfare", "needs", "fb")
    along = await refer(desk, *case, "social_welfare", to_facility=CENTRE_WORKER, services=["child_protection"], urgency="urgent")
    files = {
        desk: case[0], nurse: (await nurse.get(f"/referrals/{sent['id']}"))["case_id"],
        worker: (await town.stands(worker, along, "issued"))["case_id"],
    }  # fmt: skip
    requests = {nurse: sent["id"], worker: along["id"]}
    for one in files:  # each has the file of its own agency and no other's, and what it was asked itself
        assert [other for other in files if (await one.ask("GET", f"/cases/{files[other]}")).status_code != 404] == [one]
    for one, own in requests.items():
        assert [id_ for id_ in requests.values() if (await one.ask("GET", f"/referrals/{id_}")).status_code != 404] == [own]
    for other in ("health", "social_welfare"):
        foreign = Desk(town[other].client, desk.token)  # the same computer, the other agency's address
        assert (await foreign.ask("GET", "/cases")).status_code == 401
    officer_there = await at_pages(town, "police", CENTRE_DESK, Role.OFFICER)
    for agency, place, role, request in (
        ("health", CENTRE, Role.CLINICIAN, sent), ("social_welfare", CENTRE_WORKER, Role.SOCIAL_WORKER, along),
    ):  # fmt: skip
        there = await at_pages(town, agency, place, role)
        there.client.cookies.update(officer_there.client.cookies)  # one browser, signed in at both
        assert (await there.open(f"/referrals/{request['id']}")).status == 200
        assert (await there.open(f"/cases/{case[0]}")).status == 404
    await served(town, nurse, sent)
    await town.stands(desk, sent, "closed")
    for one in (desk, worker):
        assert [word for word in FINDINGS if word in await all_of(one, files[one])] == []
    await worker.post(f"/referrals/{along['id']}/accept")
    await town.stands(desk, along, "accepted")


async def test_a_clinic_on_paper_is_told_by_phone_and_written_for_by_its_hub(town: ProgrammeTown) -> None:
    desk, hub = await officer(town, HUB), await town.at_work("health", PAPER_HUB)
    case = await came(town, desk, 30)
    await consent(desk, case[0], "health", "needs", "fb")
    sent = await asks(town, desk, case, PAPER_CLINIC)
    told_at = town.clock.now()
    await desk.post(f"/referrals/{sent['id']}/told-by-phone", {"post": "duty_nurse"})
    came_at = told_at + timedelta(minutes=50)
    await town.pass_by(hours=3)  # past every deadline of an acute request that nobody has seen
    mine = await desk.get(f"/referrals/{sent['id']}")
    assert (mine["status"], mine["acknowledged_at"], bool(mine["told_by_phone_at"])) == ("issued", None, True)  # told is no receipt
    assert "unacknowledged" not in mine["flags"]
    assert "unacknowledged" not in await kinds_of_alarms(desk, case[0])
    stranger = await town.at_work("health", CLINIC)
    assert (await stranger.ask("GET", f"/referrals/{sent['id']}")).status_code == 404  # another clinic's
    when = {"entered_for": PAPER_CLINIC, "occurred_at": came_at.isoformat()}
    await hub.post(f"/referrals/{sent['id']}/accept", {**when, "occurred_at": told_at.isoformat()})
    await hub.post(f"/referrals/{sent['id']}/arrive", {**when, "feedback": True})
    done_at = came_at + timedelta(minutes=40)
    await hub.post(f"/referrals/{sent['id']}/close", {**when, "outcome_code": "served", "occurred_at": done_at.isoformat()})
    seen = await town.stands(desk, sent, "closed")
    times = [datetime.fromisoformat(seen[name]) for name in ("accepted_at", "arrived_at", "ended_at")]
    assert times == [told_at, came_at, done_at]
    there = await hub.get(f"/referrals/{sent['id']}")
    assert (there["facility"], datetime.fromisoformat(there["arrived_at"])) == (PAPER_CLINIC, came_at)


async def test_she_refuses_feedback_and_the_desk_learns_nothing_and_its_clocks_end(town: ProgrammeTown) -> None:
    desk, nurse = await officer(town, CENTRAL), await town.at_work("health", CLINIC)
    case = await came(town, desk, 70)
    await consent(desk, case[0], "health", "needs", "fb")  # yes at the desk, no when she is asked again
    sent = await asks(town, desk, case)
    issued = town.clock.now()
    await served(town, nurse, sent, feedback=False)
    await town.settle()
    for moment in (timedelta(days=6, hours=23, minutes=59), timedelta(days=7)):
        mine = await desk.get(f"/referrals/{sent['id']}")
        assert (mine["status"], mine["arrived_at"], mine["outcome_code"], mine["no_feedback"]) == ("accepted", None, None, False)
        await town.pass_by(hours=(issued + moment - town.clock.now()) / timedelta(hours=1))
        await town.settle()
    await town.watch()
    mine = await desk.get(f"/referrals/{sent['id']}")
    assert (mine["status"], mine["arrived_at"], mine["ended_at"], mine["no_feedback"]) == ("accepted", None, None, True)
    assert mine["flags"] == []
    await town.pass_by(days=30)
    assert await kinds_of_alarms(desk, case[0]) == set()
    told = await all_of(desk, case[0])
    assert [word for word in (*FINDINGS, '"referral.arrived"', '"referral.closed"') if word in told] == []
    there = await nurse.get(f"/referrals/{sent['id']}")
    assert (there["status"], there["outcome_code"]) == ("closed", "served")  # it ended, where it is known


# --- bad paths of the complaint --------------------------------------------------------------------------------------------


async def test_a_mother_withdraws_the_complaint_and_care_goes_on(town: ProgrammeTown) -> None:
    desk, nurse = await officer(town, CENTRAL), await town.at_work("health", CLINIC)
    case = await came(town, desk, 20, age_band="10-14")
    agreed = await consent(desk, case[0], "health", "needs", "fb")
    sent = await asks(town, desk, case)
    complaint = await desk.post(f"/cases/{case[0]}/complaints", {})
    asked = {"asked_by": "family", "pressure": "yes", "asked_alone": True, "is_safe": "no"}
    withdrawn = await desk.post(f"/cases/{case[0]}/complaints/{complaint['id']}/withdrawals", asked)
    assert withdrawn["state"] == "withdrawn"
    (kept,) = [one for one in (await desk.get(f"/cases/{case[0]}/consents"))["items"] if one["id"] == agreed["id"]]
    assert kept["taken_back_at"] is None
    await served(town, nurse, sent)
    seen = await town.stands(desk, sent, "closed")
    assert (seen["outcome_code"], seen["cancel_pending"]) == ("served", False)
    await town.settle()
    at_clinic = await all_of(nurse, (await nurse.get(f"/referrals/{sent['id']}"))["case_id"])
    assert [word for word in ("complaint", "withdrawn", "pressure", "family") if word in at_clinic] == []


async def test_a_police_report_that_is_demanded_is_a_breach_and_care_goes_on(town: ProgrammeTown) -> None:
    desk, nurse = await officer(town, STATION_5), await town.at_work("health", CLINIC)
    inspector = await town.at_work("police", STATION_5, Role.SUPERVISOR)
    case = await came(town, desk, 10)
    await consent(desk, case[0], "health", "needs", "fb")
    sent = await asks(town, desk, case)
    kept = await desk.post(f"/cases/{case[0]}/breaches", {"code": "police_report_demanded", "by_whom": "health"})
    assert kept["rules"] == ["care_first"]  # the base profile's: what programmes share stands there once
    alarm = next(one for one in (await inspector.get("/alarms?limit=200"))["items"] if one["case_id"] == case[0])
    assert (alarm["kind"], alarm["post"]) == ("breach", "vsu_inspector")
    code = (await desk.get(f"/referrals/{sent['id']}"))["arrival_code"]
    came_there = await nurse.post("/arrivals", {"code": code, "feedback": True})  # her own word, and no paper
    assert came_there["referral"]["id"] == sent["id"]
    await town.stands(desk, sent, "arrived")
    walk_in = await nurse.post("/arrivals")  # nor for whoever comes with nothing at all
    await nurse.post(f"/arrivals/{walk_in['arrival_id']}/care", {"care": "pep", "result": "given"})
    await town.settle()
    hers = (await nurse.get(f"/referrals/{sent['id']}"))["case_id"]
    assert "breach" not in await all_of(nurse, hers)  # what the desk wrote stays with the police
    matron = await town.at_work("health", CLINIC, Role.SUPERVISOR)
    written = await nurse.post(f"/cases/{hers}/breaches", {"code": "police_report_demanded", "by_whom": "health"})
    assert written["rules"] == ["care_first"]
    alarm = next(one for one in (await matron.get("/alarms?limit=200"))["items"] if one["kind"] == "breach")
    assert (alarm["case_id"], alarm["post"]) == (hers, "clinic_in_charge")
    await town.settle()
    (mine,) = (await desk.get(f"/cases/{case[0]}/breaches"))["items"]
    assert mine["id"] == kept["id"]  # and what the clinic wrote stays with the clinic


# --- bad paths of the box --------------------------------------------------------------------------------------------------


async def test_the_120th_hour_belongs_to_it_and_whoever_is_later_is_cared_for(town: ProgrammeTown) -> None:
    desk, nurse = await officer(town, CENTRAL), await town.at_work("health", CLINIC)
    await stock(desk, 2)
    minute = timedelta(minutes=1)
    for ago, is_given in ((120 * 60 * minute - minute, True), (120 * 60 * minute, True), (120 * 60 * minute + minute, False)):
        case = await came(town, desk, ago / timedelta(hours=1))
        if is_given:
            assert (await give(desk, *case))["said"]["outcome"] == "given"
        else:
            status, sentence = await refused(give(desk, *case))
            assert (status, "Care is never too late" in sentence) == (409, True)
        await consent(desk, case[0], "health", "needs", "fb")
        sent = await asks(town, desk, case)
        ends = (await hours_left(town, nurse, sent)).get("emergency_contraception")
        assert ends == pytest.approx((120 * 60 * minute - ago) / timedelta(hours=1)) if is_given else ends is None or ends < 0
        await served(town, nurse, sent)
        await town.stands(desk, sent, "closed")


async def test_an_expired_batch_is_given_to_nobody_and_an_empty_box_leads_to_care(town: ProgrammeTown) -> None:
    desk, nurse = await officer(town, STATION_5), await town.at_work("health", CLINIC)
    await stock(desk, 3, "OVER-1", "2026-01-04")
    case = await came(town, desk, 30)
    assert "expired on 2026-01-04" in (await refused(give(desk, *case, batch="OVER-1")))[1]
    status, sentence = await refused(give(desk, *case))
    assert (status, "Care has it: send her" in sentence) == (409, True)
    assert (await give(desk, *case, outcome="none_here"))["said"]["outcome"] == "none_here"
    await consent(desk, case[0], "health", "needs", "given", "fb")
    sent = await asks(town, desk, case)
    content = (await nurse.get(f"/referrals/{sent['id']}"))["content"]
    assert "given" not in content  # so the clinic gives it, and has time:
    assert (await hours_left(town, nurse, sent))["emergency_contraception"] == 90
    await nurse.post(f"/referrals/{sent['id']}/arrive", {"feedback": True})
    await nurse.post(f"/referrals/{sent['id']}/care", {"care": "emergency_contraception", "result": "given"})
    await town.stands(desk, sent, "arrived")
    assert [dose["said"]["outcome"] for dose in (await desk.get(f"/cases/{case[0]}/doses"))["items"]] == ["none_here"]


async def test_an_expired_certificate_refuses_the_dose_and_keeps_the_request(town: ProgrammeTown) -> None:
    await stock(await officer(town, CENTRAL), 1)
    yesterday = (town.clock.now() - timedelta(days=1)).date().isoformat()
    desk, nurse = await officer(town, CENTRAL, valid_until=yesterday), await town.at_work("health", CLINIC)
    case = await came(town, desk, 20)
    await consent(desk, case[0], "health", "needs", "fb")
    sent = await asks(town, desk, case)
    status, sentence = await refused(give(desk, *case))
    assert (status, f"ended on {yesterday}" in sentence) == (403, True)
    assert (await desk.get(f"/referrals/{sent['id']}"))["is_open"]
    await served(town, nurse, sent)
    await town.stands(desk, sent, "closed")


async def test_what_a_station_tells_of_its_box_reaches_the_clinic_without_anybody(town: ProgrammeTown) -> None:
    """A parcel with a dose too few, an adverse event, a dose that is gone, a month of it: as batches, codes and sums."""
    desk, colleague = await officer(town, STATION_4), await town.at_work("police", STATION_4)
    inspector = await town.at_work("police", STATION_4, Role.SUPERVISOR)
    nurse, matron = await town.at_work("health", CLINIC), await town.at_work("health", CLINIC, Role.SUPERVISOR)
    parcel = {"batch": "PARCEL-1", "expires_on": "2027-06-30", "quantity": 3}
    await nurse.post("/supplies/entries", {"product": EC, "kind": "received", **parcel})
    wanted = {"product": EC, "quantity": 3, "reason": "low", "to_agency": "health", "to_facility": CLINIC}
    asked = (await desk.post("/dispensing/requests", wanted))["id"]
    await town.settle()
    await nurse.post(f"/supplies/requests/{asked}/send", {"batches": [parcel]})
    await town.settle()
    had = await left(desk)
    await desk.post(f"/dispensing/requests/{asked}/receive", {"batches": [{**parcel, "quantity": 2}]})
    assert await left(desk) == had + 2  # what was counted, and not what was sent
    case = await came(town, desk, 20)
    await give(desk, *case, batch="PARCEL-1")
    await consent(desk, case[0], "health", "given")
    noticed = {"product": EC, "batch": "PARCEL-1"}
    await desk.post("/dispensing/reports", {**noticed, "code": "strong_pain", "case_id": case[0]})
    await colleague.post("/dispensing/reports", {**noticed, "code": "taken_from_the_box"})
    await count(desk, colleague, {lot["batch"]: 0 for lot in (await desk.get("/dispensing/box"))["lots"]})
    await town.settle()

    async def told(by: Desk, place: str, *kinds: str) -> list[tuple[str, str]]:
        rows = (await by.get("/alarms?limit=200"))["items"]
        return sorted((a["kind"], a["post"]) for a in rows if a["facility"] == place and a["kind"] in kinds)

    at_station = await told(inspector, STATION_4, "parcel_differs", "dose_adverse", "dose_misused", "box_variance")
    assert at_station == [(kind, "vsu_inspector") for kind in ("box_variance", "dose_adverse", "dose_misused", "parcel_differs")]
    at_clinic = await told(matron, CLINIC, "parcel_differs", "station_reported")
    assert at_clinic == [(kind, "clinic_in_charge") for kind in ("parcel_differs", "station_reported", "station_reported")]
    month = town.clock.now().astimezone(ZoneInfo("Africa/Lusaka")).strftime("%Y-%m")
    await town.pass_by(days=31)
    (here,) = (await desk.post("/dispensing/statements", {"month": month}))["products"]
    await town.settle()
    months = (await matron.get(f"/supplies/stations?facility={CLINIC}"))["items"]
    (there,) = [one for one in months if (one["station"], one["month"]) == (STATION_4, month)]
    sums = ("received", "dispensed", "counted", "variance", "adverse", "misuse", "stock_out_days")
    assert {name: there[name] for name in sums} == {name: here[name] for name in sums}
    assert (there["variance"], there["adverse"], there["misuse"]) == (1, 1, 1)
    reports = (await matron.get(f"/supplies/reports?facility={CLINIC}"))["items"]
    assert {one["code"] for one in reports if one["batch"] == "PARCEL-1"} == {"strong_pain", "taken_from_the_box"}
    known_there = json.dumps([months, reports, (await matron.get("/alarms?limit=200"))["items"]])
    assert [word for word in case if word in known_there] == []


async def test_a_vomited_dose_is_replaced_and_a_second_one_asks_for_a_reason(town: ProgrammeTown) -> None:
    desk, nurse = await officer(town, HUB), await town.at_work("health", CLINIC)
    await stock(desk, 3, "VOM-1")
    case = await came(town, desk, 20)
    await give(desk, *case)
    town.clock.advance(timedelta(hours=3))  # the third hour belongs to it (assumption)
    assert (await give(desk, *case, vomited=True))["said"]["kind"] == "vomited"
    status, sentence = await refused(give(desk, *case))
    assert (status, "for this incident before" in sentence) == (409, True)
    assert (await give(desk, *case, again_reason="vomited_later"))["said"]["kind"] == "again"
    await consent(desk, case[0], "health", "needs", "given", "fb")
    sent = await asks(town, desk, case)
    assert len((await nurse.get(f"/referrals/{sent['id']}"))["content"]["given"]) == 3  # no second dose is a guess there


async def test_a_dose_without_a_request_is_whole_and_nobody_asks_again(town: ProgrammeTown) -> None:
    desk, pages = await officer(town, STATION_5), await at_pages(town, "police", STATION_5, Role.OFFICER)
    await stock(desk, 1, "ONLY-1")
    at_clinic = await known(await town.whole("health"))
    case_id, incident_id = await came(town, desk, 40)
    await give(desk, case_id, incident_id, batch="ONLY-1")
    page = await pages.open(f"/cases/{case_id}/consent")
    noes: dict[str, Any] = {"answer_health": "no", "answer_social_welfare": "no", "answer_back": "no"}
    page = await pages.send(page.form(page.path), how="spoken", language="bem", **noes)
    assert page.path.endswith("/refer"), page.words
    assert (await refused(refer(desk, case_id, incident_id, "health")))[0] == 422  # whoever forgets what she said is told
    work = await pages.open("/work")  # it stands there for a week, among what was opened, and asks for nothing
    assert f"/cases/{case_id}" in work.links
    assert "Do not call or visit: the answer comes when the person comes." in work.words
    assert f"/cases/{case_id}/seen" not in [form.action for form in work.forms]
    for days in (1, 7, 30):
        await town.pass_by(days=days)
        assert await kinds_of_alarms(desk, case_id) == set()
    await town.settle()
    assert await known(await town.whole("health")) == at_clinic
    (dose,) = (await desk.get(f"/cases/{case_id}/doses"))["items"]
    assert dose["said"]["outcome"] == "given"


# --- bad paths of the way there --------------------------------------------------------------------------------------------


async def test_after_an_hour_unseen_posts_are_told_and_people_choose_another_place(town: ProgrammeTown) -> None:
    desk, hospital = await officer(town, CENTRAL), await town.at_work("health", HOSPITAL)
    inspector, in_charge = await town.at_work("police", CENTRAL, Role.SUPERVISOR), await town.whole("health")
    case = await came(town, desk, 70)
    await consent(desk, case[0], "health", "needs", "fb")
    sent = await asks(town, desk, case)

    async def alarm(by: Desk) -> Any:
        rows = (await by.get("/alarms?limit=200"))["items"]
        return next((a for a in rows if a["about"] == sent["id"] and a["kind"] == "unacknowledged"), None)

    await town.pass_by(hours=1)
    assert await alarm(inspector) is None  # the hour itself is in time
    await town.pass_by(seconds=1)
    assert ((await alarm(inspector))["post"], (await alarm(in_charge))["post"]) == ("vsu_inspector", "clinic_in_charge")
    await town.pass_by(minutes=30)
    assert ((await alarm(inspector))["post"], (await alarm(in_charge))["post"]) == ("district_commander", "district_health_officer")
    await town.settle()
    mine = await desk.get(f"/referrals/{sent['id']}")
    assert (mine["status"], mine["facility"]) == ("issued", CLINIC)  # nothing has gone anywhere by itself
    pages = await at_pages(town, "police", CENTRAL, Role.OFFICER)
    page = await pages.open(f"/referrals/{sent['id']}")
    assert "Nearest place that is open and was agreed to" in page.words  # and nobody there has answered anything
    assert f"/cases/{case[0]}/refer?instead={sent['id']}" in page.links  # she is asked, and the desk sends
    again = await asks(town, desk, case, HOSPITAL, in_place_of=sent["id"])
    await served(town, hospital, again)
    await town.stands(desk, again, "closed")
    await town.watch()
    assert await alarm(inspector) is None or (await alarm(inspector))["resolved_at"]


async def test_the_broker_is_away_for_three_hours_and_deadlines_count_from_what_happened(town: ProgrammeTown) -> None:
    desk, nurse = await officer(town, CENTRAL), await town.at_work("health", CLINIC)
    await town.settle()
    await town.broker_dies()
    try:
        case = await came(town, desk, 10)
        await consent(desk, case[0], "health", "needs", "fb")
        sent = await refer(desk, *case, "health")
        issued = town.clock.now()
        await town.pass_by(hours=3)
        mine = await desk.get(f"/referrals/{sent['id']}")
        assert (mine["status"], mine["sent_at"], mine["delivered_at"]) == ("issued", None, None)
        assert {"undelivered", "unacknowledged"} <= await kinds_of_alarms(desk, case[0])  # a post knows, and calls
        assert (await nurse.ask("GET", f"/referrals/{sent['id']}")).status_code == 404
    finally:
        await town.broker_returns()
    there = await town.stands(nurse, sent, "issued")
    assert datetime.fromisoformat(there["issued_at"]) == issued
    left_ = await hours_left(town, nurse, sent)
    assert (left_["pep"], left_["emergency_contraception"]) == (72 - 10 - 3, 120 - 10 - 3)
    await town.watch()
    assert "unacknowledged" in (await nurse.get(f"/referrals/{sent['id']}"))["flags"]  # late there from the first moment on
    await served(town, nurse, sent)
    await town.stands(desk, sent, "closed")
    await town.watch()
    assert await kinds_of_alarms(desk, case[0]) == set()
