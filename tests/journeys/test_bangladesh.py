"""Bangladesh, Victim Support Centres (domain guide 4.2, practice guide "The six scenarios, made real"): each story on the network
that the profile makes, over a real Kafka, each agency on a PostgreSQL database of its own.

What another agency learns is read from that agency's own records through its API, and so is what it must not learn.

| story | test |
|---|---|
| acceptance: from a thana, hospital, a partner on day 3, gone by day 5, things back | `test_from_a_thana_to_a_place_of_her_own` |
| children who come with her; legal information; counselling | the same |
| the same with nothing late, and no alarm | `test_a_partner_accepts_on_day_three_and_she_goes_there_by_day_five` |
| a partner is full: another is proposed, she is asked | `test_a_partner_that_is_full_proposes_another_and_the_centre_asks_her` |
| it names nobody: the next one that she agreed to | `test_after_a_partner_that_names_nobody_the_next_is_offered` |
| a partner is asked for what it has not signed | `test_what_lies_outside_an_agreement_is_refused_in_its_sentence` |
| the place that had accepted is full after all | `test_a_place_that_had_accepted_is_full_after_all` |
| day 5 and no place | `test_on_day_five_without_a_place_a_supervisor_extends_and_nobody_is_sent_away` |
| the hospital returns her to the centre | `test_the_hospital_returns_her_and_its_nights_do_not_count` |
| "husband" on the telephone; she herself | `test_a_husband_on_the_telephone_hears_nothing_and_she_hears_how_it_stands` |
| her things are refused | `test_a_no_to_her_things_is_a_breach` |
| a planned centre is chosen | `test_a_planned_centre_cannot_be_asked` |
| centre full on arrival | `test_a_full_centre_is_written_down_and_the_thana_hears_of_another_place` |
| she takes her consent back | `test_consent_taken_back_voids_what_was_not_sent_and_stops_the_hospital` |
| the whole scenario with a hospital on paper, and with feedback refused (long tier) | `test_from_a_thana_to_a_place_of_her_own` |
| party on paper: a hospital without a computer | `test_a_hospital_on_paper_is_told_by_phone_and_written_for` |
| feedback refused | `test_she_refuses_feedback_and_the_centre_learns_nothing` |
| the clock to the minute, clocks put back, extensions | `tests/unit/test_stay_clock.py` |
| her things, enquiries, figures | `tests/api/test_stays.py` (in this process) |

Two of the ten partners are at work here; all ten, and the ministry that watches, in `test_all_ten_partners.py` (long tier).
"""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from agencies import Desk, Refused, consent
from centre import CENTRE, HOSPITAL, MINISTRY, PLANNED, THANA, WITHOUT_PARTNERS, came, open_alarms, stays, then
from programme_town import ProgrammeTown, programme_town
from signing_in import settled_account, sign_in
from sqlalchemy import select
from sqlmodel import col
from visitor import Visitor

from shared.casework.accounts.commands import find_account
from shared.contracts.casework.codes import AgencyKind, Role
from shared.exchange.tables import InboxRow, InboxState, OutboxRow
from shared.kit.local.postgres_databases import PostgresDatabases

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]  # the first one starts the broker

KINDS = (*WITHOUT_PARTNERS, AgencyKind.PARTNER)
PAPER_HOSPITAL = "hospital_2"
ON_PAPER = {PAPER_HOSPITAL: {"mode": "paper", "hub": HOSPITAL}}
NGO_4, NGO_10 = "ngo_4_office_1", "ngo_10_office_1"
OTHER_PARTNERS = [f"ngo_{number}" for number in (1, 2, 3, 5, 6, 7, 8, 9)]  # an agency more is a database and a line more
WITH_HER = ("0-9", "10-14")
# Stays, things and counselling cross nowhere, and nobody's words; ages as they stand in an answer, so that no id is taken for one.
AGES = tuple(f'"{band}"' for band in WITH_HER)
KEPT_AT_THE_CENTRE = ("with_her", *AGES, "desk_officer", "jewellery", "rhg", "first_support", "synthetic")
RING = {"kind": "jewellery", "note": "One ring.", "post": "desk_officer", "name": "S. Synthetic"}
BACK = {"act": "returned", "post": "desk_officer", "name": "S. Synthetic", "her_sign": "thumb"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(postgres: PostgresDatabases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ProgrammeTown]:
    folder = tmp_path_factory.mktemp("bangladesh")
    async with programme_town("bd-vsc", postgres, folder, ON_PAPER, KINDS, OTHER_PARTNERS) as made:
        yield made


async def sends(town: ProgrammeTown, desk: Desk, case_id: str, to: str, place: str, *services: str, **more: Any) -> Any:
    """She agrees, and a request goes there."""
    await consent(desk, case_id, to, "needs", "fb", language="bn")
    body = {"case_id": case_id, "to_agency": to, "to_facility": place, "services": list(services), "urgency": "urgent", **more}
    sent = await desk.post("/referrals", body)
    await town.stands(await town.whole(to), sent, "issued")
    return sent


async def accepted(town: ProgrammeTown, desk: Desk, case_id: str) -> Any:
    """The ministry has a place for her, and the centre knows."""
    sent = await sends(town, desk, case_id, "social_welfare", MINISTRY, "shelter")
    await (await town.at_work("social_welfare", MINISTRY)).post(f"/referrals/{sent['id']}/accept")
    await town.stands(desk, sent, "accepted")
    return sent


async def refused(work: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as error:
        await work
    return error.value.status, error.value.problem["detail"]


async def at_pages(town: ProgrammeTown) -> Visitor:
    """An officer of the centre before a browser."""
    name = town.name()
    issued = await settled_account(town["police"], name, Role.OFFICER)
    async with town["police"].database.write() as tx:
        (await find_account(tx, name)).facility = CENTRE
    visitor = Visitor(town["police"].app)
    await sign_in(visitor, issued, name)
    return visitor


async def the_stay(desk: Desk, case_id: str) -> Any:
    (stay,) = (await desk.get(f"/cases/{case_id}/stays"))["items"]
    return stay


@pytest.mark.parametrize(
    ("hospital", "tells_back", "fir"),
    [
        pytest.param(HOSPITAL, True, "FIR/7/26", id="as she says"),
        pytest.param(PAPER_HOSPITAL, True, "FIR/71/26", id="a hospital on paper", marks=pytest.mark.long),
        pytest.param(HOSPITAL, False, "FIR/72/26", id="feedback refused", marks=pytest.mark.long),
    ],
)
async def test_from_a_thana_to_a_place_of_her_own(town: ProgrammeTown, hospital: str, tells_back: bool, fir: str) -> None:
    thana, desk = await town.at_work("thanas", THANA), await town.at_work("police", CENTRE)
    doctor, worker = await town.at_work("health", HOSPITAL), await town.at_work("ngo_4", NGO_4)
    at_thana = await came(thana)
    from_thana = await sends(town, thana, at_thana, "police", CENTRE, "protection")
    await thana.post(f"/referrals/{from_thana['id']}/set-out", {"mode": "police_vehicle", "escort": "officer"})
    there = await desk.get(f"/referrals/{from_thana['id']}")
    assert not {"needs", "dependants", "incident_class"} & there["content"].keys()  # between two of the police: the request alone
    await desk.post(f"/referrals/{from_thana['id']}/arrive", {"feedback": tells_back})
    if tells_back:
        await town.stands(thana, from_thana, "arrived")
    case_id = there["case_id"]

    stay = await stays(desk, case_id, *WITH_HER)
    assert stay["persons"] == 3
    ring = await desk.post(f"/cases/{case_id}/property", RING)
    told = {"topics": ["her_rights", "protection"], "language": "rhg", "interpreter": True, "post": "desk_officer"}
    await desk.post(f"/cases/{case_id}/legal-information", told)
    support = {"what": "first_support", "language": "rhg", "interpreter": True, "post": "desk_officer", "note": "A synthetic note."}
    await desk.post(f"/cases/{case_id}/counsellings", support)
    await desk.post(f"/cases/{case_id}/complaints", {"number": fir})

    hurt = await sends(town, desk, case_id, "health", hospital, "injury_care")
    await desk.post(f"/referrals/{hurt['id']}/set-out", {"mode": "police_vehicle", "escort": "officer"})
    await then(desk, stay, "hospital_out")
    await then(desk, stay, "hospital_back")  # the same day: no night counts, whenever it is entered
    came_at, written = town.clock.now(), {}
    if hospital == PAPER_HOSPITAL:  # told by phone, and entered by another hospital the next morning
        await desk.post(f"/referrals/{hurt['id']}/told-by-phone", {"post": "duty_doctor"})
        await town.pass_by(hours=9)
        written = {"entered_for": hospital, "occurred_at": came_at.isoformat()}
    for act, more in (("accept", {}), ("arrive", {"feedback": tells_back})):
        await doctor.post(f"/referrals/{hurt['id']}/{act}", {**more, **written})
    for care in ("injury_care", "tetanus"):
        at = {"occurred_at": came_at.isoformat()} if written else {}
        await doctor.post(f"/referrals/{hurt['id']}/care", {"care": care, "result": "given", **at})
    await doctor.post(f"/referrals/{hurt['id']}/close", {"outcome_code": "served", **written})

    await town.pass_by(days=3)
    assert "stay_needs_plan" in await open_alarms(desk, case_id)
    onward = await sends(town, desk, case_id, "ngo_4", NGO_4, "shelter")
    await worker.post(f"/referrals/{onward['id']}/accept")
    await town.stands(desk, onward, "accepted")
    await then(desk, stay, "planned", way="agency", referral_id=onward["id"])
    assert "stay_needs_plan" not in await open_alarms(desk, case_id)
    await town.pass_by(days=1)
    assert (await desk.post(f"/property/{ring['id']}/entries", BACK))["returned_at"]
    left = await then(desk, stay, "left", way="agency", referral_id=onward["id"])
    assert (left["days"], left["was_over_without_plan"]) == (4, False)
    await worker.post(f"/referrals/{onward['id']}/arrive", {"feedback": tells_back})
    await worker.post(f"/referrals/{onward['id']}/close", {"outcome_code": "served"})
    if tells_back:
        assert (await town.stands(desk, onward, "closed"))["outcome_code"] == "served"
        ended = await town.stands(desk, hurt, "closed")
        assert (ended["outcome_code"], datetime.fromisoformat(ended["arrived_at"])) == ("served", came_at)
    await town.settle()
    if not tells_back:  # neither the centre nor the thana hears that she came, or how it ended
        for of, sent in ((desk, onward), (desk, hurt), (thana, from_thana)):
            mine = await of.get(f"/referrals/{sent['id']}")
            assert (mine["arrived_at"], mine["ended_at"], mine["outcome_code"]) == (None, None, None), sent["recipient"]
    assert "tetanus" in json.dumps(await doctor.get(f"/referrals/{hurt['id']}/care"))  # there it is written down
    seen = json.dumps([await desk.get(f"/cases/{case_id}/timeline?limit=200"), await desk.get(f"/referrals/{hurt['id']}")])
    assert '"result"' not in seen
    assert "tetanus" not in seen
    own = json.dumps([await desk.get(f"/cases/{case_id}/{what}") for what in ("stays", "property", "counsellings")]).casefold()
    assert [word for word in KEPT_AT_THE_CENTRE if word not in own] == []
    for agency, sent in (("health", hurt), ("ngo_4", onward), ("thanas", from_thana)):
        whole = await town.whole(agency)
        of_case = (await whole.get(f"/referrals/{sent['id']}"))["case_id"]
        known = json.dumps([await whole.get(f"/cases/{of_case}/timeline?limit=200"), await whole.get(f"/referrals/{sent['id']}")])
        given = () if agency == "health" else ("tetanus",)
        assert [word for word in (*KEPT_AT_THE_CENTRE, *given, fir.casefold()) if word in known.casefold()] == [], agency


async def test_a_partner_accepts_on_day_three_and_she_goes_there_by_day_five(town: ProgrammeTown) -> None:
    desk, worker = await town.at_work("police", CENTRE), await town.at_work("ngo_4", NGO_4)
    case_id = await came(desk)
    stay = await stays(desk, case_id, "0-9")
    ring = await desk.post(f"/cases/{case_id}/property", RING)
    await town.pass_by(days=2)
    onward = await sends(town, desk, case_id, "ngo_4", NGO_4, "shelter")
    await town.pass_by(hours=20)
    await worker.post(f"/referrals/{onward['id']}/accept")
    await town.stands(desk, onward, "accepted")
    await then(desk, stay, "planned", way="agency", referral_id=onward["id"])
    for _day in range(2):
        assert not {"stay_needs_plan", "stay_over_limit"} & (await open_alarms(desk, case_id)).keys()
        await town.pass_by(days=1)
    given = await desk.post(f"/property/{ring['id']}/entries", BACK)
    assert (given["lines"][-1]["act"], given["lines"][-1]["said"]["her_sign"]) == ("returned", "thumb")
    assert given["returned_at"]
    left = await then(desk, stay, "left", way="agency", referral_id=onward["id"])
    assert left["left_at"] < left["limit_at"]
    assert (left["was_over_without_plan"], left["gaps"]) == (False, [])
    for act, more in (("arrive", {"feedback": True}), ("start", {}), ("close", {"outcome_code": "served"})):
        await worker.post(f"/referrals/{onward['id']}/{act}", more)
    assert (await town.stands(desk, onward, "closed"))["outcome_code"] == "served"
    whole = await town.whole("ngo_4")
    there = await whole.get(f"/referrals/{onward['id']}")
    known = json.dumps([there, await whole.get(f"/cases/{there['case_id']}/timeline?limit=200")]).casefold()
    assert [word for word in KEPT_AT_THE_CENTRE if word in known] == []


async def test_a_partner_that_is_full_proposes_another_and_the_centre_asks_her(town: ProgrammeTown) -> None:
    desk, full, other = (
        await town.at_work("police", CENTRE),
        await town.at_work("ngo_4", NGO_4),
        await town.at_work("ngo_10", NGO_10),
    )

    async def at_ngo_10() -> list[str]:
        return [one["id"] for one in (await (await town.whole("ngo_10")).get("/referrals?direction=in&limit=200"))["items"]]

    before = await at_ngo_10()
    case_id = await came(desk)
    stay = await stays(desk, case_id)
    await consent(desk, case_id, "ngo_10", "fb", language="bn")
    first = await sends(town, desk, case_id, "ngo_4", NGO_4, "shelter")
    await full.post(f"/referrals/{first['id']}/decline", {"reason_code": "no_place", "next_place": f"ngo_10/{NGO_10}"})
    await town.stands(desk, first, "declined")
    await town.settle()
    assert await at_ngo_10() == before  # nothing goes there by itself
    page = await (await at_pages(town)).open(f"/referrals/{first['id']}")
    assert "They propose" in page.words
    assert f"/cases/{case_id}/refer?instead={first['id']}" in page.links  # she is asked, and the desk sends
    body = {"case_id": case_id, "to_agency": "ngo_10", "to_facility": NGO_10, "services": ["shelter"], "urgency": "urgent"}
    second = await desk.post("/referrals", {**body, "in_place_of": first["id"]})
    await town.stands(other, second, "issued")
    await other.post(f"/referrals/{second['id']}/accept")
    await town.stands(desk, second, "accepted")
    await then(desk, stay, "planned", way="agency", referral_id=second["id"])
    left = await then(desk, stay, "left", way="agency", referral_id=second["id"])
    assert left["plan"] == "agency"


async def test_after_a_partner_that_names_nobody_the_next_is_offered(town: ProgrammeTown) -> None:
    """She has agreed to a hospital too: it is no place to stay, and what is asked now is what the partner could not take."""
    desk, full, other = (
        await town.at_work("police", CENTRE),
        await town.at_work("ngo_4", NGO_4),
        await town.at_work("ngo_10", NGO_10),
    )
    case_id = await came(desk)
    for agreed in ("health", "ngo_10"):
        await consent(desk, case_id, agreed, "fb", language="bn")
    first = await sends(town, desk, case_id, "ngo_4", NGO_4, "shelter")
    await full.post(f"/referrals/{first['id']}/decline", {"reason_code": "no_place"})
    await town.stands(desk, first, "declined")
    pages = await at_pages(town)
    page = await pages.open(f"/referrals/{first['id']}")
    assert "They name no other place" in page.words
    page = await pages.open(f"/cases/{case_id}/refer?instead={first['id']}")
    form = page.form(f"/cases/{case_id}/refer")
    assert form.fields["care"] == ["shelter"]
    assert (form.choices["place"][0], form.choices["place"][-1]) == (f"ngo_10/{NGO_10}", f"ngo_4/{NGO_4}")
    page = await pages.send(
        form, place=form.choices["place"][0], mode="police_vehicle", escort="officer", expected="10:30", carries="nothing",
    )  # fmt: skip
    second = {"id": page.path.split("/")[2]}
    assert (await town.stands(other, second, "issued"))["services"] == ["shelter"]


async def test_what_lies_outside_an_agreement_is_refused_in_its_sentence(town: ProgrammeTown) -> None:
    desk = await town.at_work("police", CENTRE)
    case_id = await came(desk)
    await consent(desk, case_id, "ngo_10", language="bn")
    body = {"case_id": case_id, "to_agency": "ngo_10", "to_facility": NGO_10, "services": ["reintegration"], "urgency": "urgent"}
    assert await refused(desk.post("/referrals", body)) == (
        409, f"The agreement with ngo_10 does not cover: reintegration; the directory has for this: ngo_4/{NGO_4}.",
    )  # fmt: skip
    sent = await desk.post("/referrals", {**body, "services": ["legal_aid"]})
    await town.stands(await town.at_work("ngo_10", NGO_10), sent, "issued")


async def test_a_place_that_had_accepted_is_full_after_all(town: ProgrammeTown) -> None:
    desk, worker = await town.at_work("police", CENTRE), await town.at_work("social_welfare", MINISTRY)
    case_id = await came(desk)
    stay = await stays(desk, case_id)
    onward = await accepted(town, desk, case_id)
    await then(desk, stay, "planned", way="agency", referral_id=onward["id"])
    await town.pass_by(days=3)
    assert "stay_needs_plan" not in await open_alarms(desk, case_id)
    await worker.post(f"/referrals/{onward['id']}/decline", {"reason_code": "no_place"})
    await town.stands(desk, onward, "declined")
    await town.watch()
    assert "stay_needs_plan" in await open_alarms(desk, case_id)
    rows = (await desk.get("/referrals?direction=out&limit=200"))["items"]
    assert [one["id"] for one in rows if one["case_id"] == case_id] == [
        onward["id"]
    ]  # nothing goes elsewhere by itself: she is asked
    await then(desk, stay, "left", way="own_choice")


async def test_on_day_five_without_a_place_a_supervisor_extends_and_nobody_is_sent_away(town: ProgrammeTown) -> None:
    desk, head = await town.at_work("police", CENTRE), await town.at_work("police", CENTRE, Role.SUPERVISOR)
    case_id = await came(desk)
    stay = await stays(desk, case_id, "0-9")
    await town.pass_by(days=5, minutes=1)
    assert (await open_alarms(desk, case_id))["stay_over_limit"] == "centre_in_charge"
    assert (await the_stay(desk, case_id))["left_at"] is None
    until = (town.clock.now() + timedelta(days=3)).date().isoformat()
    assert (await refused(then(desk, stay, "extended", reason="no_place", until=until)))[0] == 403
    extended = await then(head, stay, "extended", reason="no_place", until=until)
    assert extended["facts"][-1] | {"occurred_at": None} == {
        "kind": "extended", "reason": "no_place", "until": until, "way": None, "referral_id": None, "occurred_at": None,
    }  # fmt: skip
    assert "stay_over_limit" not in await open_alarms(desk, case_id)
    await town.pass_by(days=5)
    assert (await open_alarms(desk, case_id))["stay_over_limit"] == "centre_in_charge"
    assert (await the_stay(desk, case_id))["left_at"] is None
    assert (await refused(then(desk, stay, "left", way="family", she_agrees="no", risk_checked="yes")))[0] == 409
    await then(desk, stay, "left", way="family", she_agrees="yes", risk_checked="yes")


async def test_the_hospital_returns_her_and_its_nights_do_not_count(town: ProgrammeTown) -> None:
    desk = await town.at_work("police", CENTRE)
    case_id = await came(desk)
    stay = await stays(desk, case_id)
    await then(desk, stay, "hospital_out")
    await town.pass_by(days=4)
    assert await open_alarms(desk, case_id) == {}
    back = await then(desk, stay, "hospital_back")
    assert (back["nights_in_hospital"], back["days"], back["is_assumption"]) == (4, 0, True)
    assert datetime.fromisoformat(back["limit_at"]) == datetime.fromisoformat(stay["limit_at"]) + timedelta(days=4)
    await then(desk, stay, "left", way="own_choice")


async def test_a_husband_on_the_telephone_hears_nothing_and_she_hears_how_it_stands(town: ProgrammeTown) -> None:
    desk, at_the_telephone = await town.at_work("police", CENTRE), await town.at_work("police", CENTRE)
    case_id = await came(desk)
    number = (await desk.get(f"/cases/{case_id}"))["number"]
    await desk.post(f"/cases/{case_id}/complaints", {"number": "FIR/8/26"})
    await desk.post(f"/cases/{case_id}/own-word", {"word": "mango tree", "phone_is_safe": True})
    asked = {"number": number, "claims_to_be": "husband", "phone_is_safe": True}
    answers = [
        await at_the_telephone.post("/enquiries", body)
        for body in (asked, asked | {"word": "a guess"}, asked | {"number": "P-2026-000000"})
    ]
    assert [{**one, "id": None} for one in answers] == [{"id": None, "told": False, "milestones": []}] * 3
    hers = await at_the_telephone.post("/enquiries", asked | {"claims_to_be": "herself", "word": "Mango Tree"})
    assert [one["code"] for one in hers["milestones"]] == ["complaint_registered"]
    kept = (await desk.get(f"/cases/{case_id}/enquiries"))["items"]
    assert [one["claims_to_be"] for one in kept] == ["herself", "husband", "husband"]


async def test_a_no_to_her_things_is_a_breach(town: ProgrammeTown) -> None:
    desk = await town.at_work("police", CENTRE)
    case_id = await came(desk)
    ring = await desk.post(f"/cases/{case_id}/property", RING)
    await desk.post(f"/property/{ring['id']}/entries", {"act": "refused", "reason": "other"})
    (breach,) = (await desk.get(f"/cases/{case_id}/breaches"))["items"]
    assert breach["code"] == "property_not_returned"
    assert (await open_alarms(desk, case_id))["breach"] == "centre_in_charge"


async def test_a_planned_centre_cannot_be_asked(town: ProgrammeTown) -> None:
    thana = await town.at_work("thanas", THANA)
    case_id = await came(thana)
    await consent(thana, case_id, "police", language="bn")
    body = {"case_id": case_id, "to_agency": "police", "to_facility": PLANNED, "services": ["protection"], "urgency": "urgent"}
    assert await refused(thana.post("/referrals", body)) == (
        409, f"police/{PLANNED} is planned and does not work yet; choose another place.",
    )  # fmt: skip
    head = await town.at_work("police", None, Role.SUPERVISOR)
    counted = (await head.get(f"/counts?year={town.clock.now().year}"))["counts"]
    kinds = [one["kind"] for one in counted if one["measure"] == "facilities"]
    assert (kinds.count("vsc"), kinds.count("vsc_planned")) == (1, 7)


async def test_a_full_centre_is_written_down_and_the_thana_hears_of_another_place(town: ProgrammeTown) -> None:
    thana, desk = await town.at_work("thanas", THANA), await town.at_work("police", CENTRE)
    first = await stays(desk, await came(desk), *["0-9"] * 11)
    sent = await sends(town, thana, await came(thana), "police", CENTRE, "protection")
    case_id = (await desk.get(f"/referrals/{sent['id']}"))["case_id"]
    assert (await refused(stays(desk, case_id)))[0] == 409
    answer = await desk.post(f"/cases/{case_id}/stay-refusals", {})
    assert {"agency": "social_welfare", "facility": MINISTRY} in answer["proposed"]
    await desk.post(f"/referrals/{sent['id']}/decline", {"reason_code": "no_place"})
    assert (await town.stands(thana, sent, "declined"))["status"] == "declined"
    await then(desk, first, "left", way="own_choice")
    assert (await stays(desk, await came(desk)))["persons"] == 1


async def test_consent_taken_back_voids_what_was_not_sent_and_stops_the_hospital(town: ProgrammeTown) -> None:
    desk, doctor = await town.at_work("police", CENTRE), await town.at_work("health", HOSPITAL)
    case_id = await came(desk)
    agreed = await consent(desk, case_id, "health", "needs", "fb", language="bn")
    body = {"case_id": case_id, "to_agency": "health", "to_facility": HOSPITAL, "urgency": "urgent"}
    sent = await desk.post("/referrals", {**body, "services": ["injury_care"]})
    await town.stands(doctor, sent, "issued")
    await town.goes_offline("police")  # and so nothing that is said now is numbered, let alone sent
    waits = await desk.post("/referrals", {**body, "services": ["mental_health_care"]})
    await desk.take_back(case_id, agreed)
    await town.comes_online("police")
    await town.stands(doctor, sent, "cancelled")
    await town.settle()
    subject = UUID(waits["id"])
    async with town["police"].database.read() as tx:
        said = (await tx.session.execute(select(OutboxRow).where(col(OutboxRow.subject) == subject))).scalars().all()
    assert [(one.type, one.is_withheld) for one in said] == [("referral.issued", True)]
    async with town["health"].database.read() as tx:
        heard = (await tx.session.execute(select(InboxRow).where(col(InboxRow.subject) == subject))).scalars().all()
    assert [one.state for one in heard] == [InboxState.WITHHELD]  # its slot came, blank, and was never a request there
    assert (await doctor.ask("GET", f"/referrals/{waits['id']}")).status_code == 404
    assert (await desk.get(f"/referrals/{waits['id']}"))["status"] == "cancelled"


async def test_a_hospital_on_paper_is_told_by_phone_and_written_for(town: ProgrammeTown) -> None:
    desk, clerk = await town.at_work("police", CENTRE), await town.at_work("health", HOSPITAL)
    sent = await sends(town, desk, await came(desk), "health", PAPER_HOSPITAL, "injury_care")
    await desk.post(f"/referrals/{sent['id']}/told-by-phone", {"post": "duty_doctor"})
    came_at = town.clock.now()
    await town.pass_by(hours=6)
    for act, more in (("accept", {}), ("arrive", {"feedback": True}), ("close", {"outcome_code": "served"})):
        entered = {"entered_for": PAPER_HOSPITAL, "occurred_at": came_at.isoformat(), **more}
        await clerk.post(f"/referrals/{sent['id']}/{act}", entered)
    seen = await town.stands(desk, sent, "closed")
    assert datetime.fromisoformat(seen["arrived_at"]) == came_at


async def test_she_refuses_feedback_and_the_centre_learns_nothing(town: ProgrammeTown) -> None:
    desk, doctor = await town.at_work("police", CENTRE), await town.at_work("health", HOSPITAL)
    sent = await sends(town, desk, await came(desk), "health", HOSPITAL, "injury_care")
    await doctor.post(f"/referrals/{sent['id']}/accept")
    await doctor.post(f"/referrals/{sent['id']}/arrive", {"feedback": False})
    await doctor.post(f"/referrals/{sent['id']}/close", {"outcome_code": "served"})
    await town.settle()
    seen = await desk.get(f"/referrals/{sent['id']}")
    assert (seen["arrived_at"], seen["outcome_code"]) == (None, None)
    assert (await doctor.get(f"/referrals/{sent['id']}"))["outcome_code"] == "served"
