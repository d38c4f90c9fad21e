"""Latin America, women's stations (domain guide 4.6, practice guide "The six scenarios, made real"): each story on the network that
the profile makes, over a real Kafka, each agency on a PostgreSQL database of its own, the mobile unit on an SQLite file.

| story | test |
|---|---|
| acceptance: the mobile unit is offline for 40 h and keeps its times; station, institute, prosecutor | `test_a_mobile_unit_...` |
| oversight sees counts only; all requests from specialised desks, where there are others: it is told | `test_where_only_...` |
| a rape is reported at a station in Ecuador: received, handed on warmly, never refused | `test_a_rape_reported_in_ecuador_...` |
| she says no to the other place | `test_her_no_to_another_place_refuses_her_nothing` |
| the mandate is not known | `test_a_mandate_that_is_not_known_narrows_nothing` |
| any desk issues; the ordinary station sends on without a line | `test_any_desk_issues_...`, `test_an_ordinary_station_...` |
| conciliation and pressure to settle | `test_a_conciliation_is_blocked_and_told_and_has_no_outcome` |
| hand-over in time, late | `test_a_hand_over_is_in_time_or_late_and_told` |
| the order follows the examination | `test_the_institute_examines_and_the_order_follows` |
| sync conflict | `test_one_number_in_two_versions_keeps_both` |
| all requests from specialised desks, of which there are no others | `test_where_every_desk_is_a_specialists_nobody_is_told` |
| a complaint that is registered by the unit's own time is late at once | `test_a_complaint_by_its_first_time_...` |
| the whole scenario with a station on paper, and with feedback refused (long tier) | `test_a_mobile_unit_...` |
| party on paper: an ordinary station without a computer | `test_a_station_on_paper_...` |
| feedback refused | `test_she_refuses_feedback_...` |
"""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
import pytest_asyncio
from agencies import Desk, Refused, purpose_of
from canaries import everything
from kafka_line import until
from programme_town import ProgrammeTown, programme_town
from signing_in import settled_account, sign_in
from visitor import Visitor

from shared.casework.accounts.commands import find_account
from shared.casework.figures.domain import Period, period
from shared.contracts.casework.codes import Role
from shared.kit.local.postgres_databases import PostgresDatabases
from shared.programmes.profile import load_programme
from shared.programmes.tallies import Counted

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]  # the first one starts the broker

STATION, ORDINARY, DARK, HUB, UNIT = "station_ni_1", "ordinary_ni_1", "ordinary_ni_6", "ordinary_ni_5", "mobile_unit_1"
PAPER_STATION = "station_ni_2"
ECUADOR, ELSEWHERE = "station_ec_1", ("police_br", "police_pe")  # whose police have nobody to send to
FISCALIA, FISCALIA_EC, INSTITUTE, HOSPITAL = "prosecutor_ni_1", "prosecutor_ec_1", "forensic_institute_1", "hospital_1"
OFFLINE = timedelta(hours=40)
MANY = 10  # below it a number is withheld from the oversight body


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(postgres: PostgresDatabases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ProgrammeTown]:
    on_paper = {DARK: {"mode": "paper", "hub": HUB}, PAPER_STATION: {"mode": "paper", "hub": STATION}}
    async with programme_town(
        "latam-wps", postgres, tmp_path_factory.mktemp("latin-america"), on_paper, offline=("mobile",), left_out=ELSEWHERE
    ) as made:  # fmt: skip
        yield made


async def woman(town: ProgrammeTown, desk: Desk, incident: str = "rape", **more: Any) -> tuple[str, str]:
    """Somebody who has come: (case, incident)."""
    needs = {"age_band": "25-49", "sex": "female", "language": "es"}
    case_id = (await desk.post("/cases", {"needs": needs, **more}))["id"]
    at = (town.clock.now() - timedelta(hours=20)).isoformat()
    body = {"incident_type": incident, "contexts": [], "earliest_at": at, "latest_at": at}
    return case_id, (await desk.post(f"/cases/{case_id}/incidents", body))["id"]


async def agrees(desk: Desk, case_id: str, recipient: str, *items: str) -> Any:
    purpose = purpose_of(recipient.removesuffix("_ec"))
    body = {"recipient": recipient, "purpose": purpose, "items": ["req", *items], "how": "spoken", "language": "es"}
    return await desk.post(f"/cases/{case_id}/consents", body)


async def asks(desk: Desk, case: tuple[str, str], place: str, *services: str, **more: Any) -> Any:
    """A request to agency/facility."""
    agency, facility = place.split("/")
    body = {"case_id": case[0], "incident_id": case[1], "to_agency": agency, "to_facility": facility, "services": services}
    return await desk.post("/referrals", {"urgency": "urgent", **body, **more})


async def arrived(town: ProgrammeTown, sent: Any, agency: str) -> Any:
    return await town.stands(await town.whole(agency), sent, "issued")


async def at_pages(town: ProgrammeTown, agency: str, place: str | None, role: Role) -> Visitor:
    name = town.name()
    issued = await settled_account(town[agency], name, role)
    async with town[agency].database.write() as tx:
        (await find_account(tx, name)).facility = place
    visitor = Visitor(town[agency].app)
    await sign_in(visitor, issued, name)
    return visitor


async def counted(town: ProgrammeTown, indicator: str, *agencies: str) -> float | None:
    """An indicator of this year from what agencies counted, as a replay computes it."""
    year = town.clock.now().year
    answers = [await (await town.whole(agency)).get(f"/counts?year={year}") for agency in agencies or ("police",)]
    return load_programme("latam-wps").indicators[indicator].value(Counted(answers))


async def alarms(desk: Desk, case_id: str | None) -> dict[str, str]:
    rows = (await desk.get("/alarms?limit=200"))["items"]
    return {one["kind"]: one["post"] for one in rows if one["case_id"] == case_id and not one["resolved_at"]}


async def stands(desk: Desk, case_id: str) -> str:
    (one,) = (await desk.get(f"/cases/{case_id}/hand-overs"))["items"]
    return str(one["stands"])


async def handed_after(desk: Desk, case_id: str) -> timedelta:
    """From the complaint of a case to its hand-over, by the record."""
    (one,) = (await desk.get(f"/cases/{case_id}/hand-overs"))["items"]
    return datetime.fromisoformat(one["handed_at"]) - datetime.fromisoformat(one["counted_from"])


# --- the scenario ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "tells_back"),
    [
        pytest.param(STATION, True, id="as she says"),
        pytest.param(PAPER_STATION, True, id="a station on paper", marks=pytest.mark.long),
        pytest.param(STATION, False, id="feedback refused", marks=pytest.mark.long),
    ],
)
async def test_a_mobile_unit_syncs_forty_hours_later_with_its_own_times(town: ProgrammeTown, place: str, tells_back: bool) -> None:
    await town.goes_offline("mobile")
    unit, began = await town.at_work("mobile", UNIT), town.clock.now()
    before = (await unit.get("/register"))["last"]
    today = town["mobile"].here.day_of(began).isoformat()  # on the unit's own calendar: in London it may be tomorrow
    await unit.post("/informed", {"on": today, "what": "her_rights", "count": 7})
    case = await woman(town, unit)
    made = await unit.post(f"/cases/{case[0]}/complaints", {"incident_id": case[1]})
    assert made["reference"] is not None  # she has a number at once, without any line
    for agency in ("police", "justice"):
        await agrees(unit, case[0], agency, "fb")
    to_station = await asks(unit, case, f"police/{place}", "report_to_police")
    to_institute = await asks(unit, case, f"justice/{INSTITUTE}", "examination_and_report")
    register = await unit.get("/register")
    assert [one["number"] for one in register["items"] if not one["confirmed"]] == [before + 3, before + 2, before + 1]
    town.clock.advance(OFFLINE)
    await town.comes_online("mobile")
    there, examined = await arrived(town, to_station, "police"), await arrived(town, to_institute, "justice")
    assert [datetime.fromisoformat(one["issued_at"]) for one in (there, examined)] == [began, began]

    async def is_confirmed() -> bool:
        return (await unit.get("/register"))["unconfirmed"] == 0

    await until(is_confirmed)
    inspector = await town.at_work("police", None, Role.SUPERVISOR)
    (held,) = (await inspector.get("/stations"))["items"]
    assert (held["agency"], held["highest"], held["missing"]) == ("mobile", before + 3, [])
    station, examiner = await town.at_work("police", STATION), await town.at_work("justice", INSTITUTE)
    read_at, written = town.clock.now(), {}
    if place == PAPER_STATION:  # read to it by telephone; its sheets are entered by another station five hours later
        town.clock.advance(timedelta(hours=5))
        written = {"entered_for": place, "occurred_at": read_at.isoformat()}
    for desk, sent, sheet in ((station, to_station, written), (examiner, to_institute, {})):
        await desk.post(f"/referrals/{sent['id']}/accept", sheet)
        assert (await town.stands(unit, sent, "accepted"))["id"] == sent["id"]
        await desk.post(f"/referrals/{sent['id']}/arrive", {"feedback": tells_back, **sheet})
    hers = there["case_id"]
    assert there["facility"] == place
    await agrees(station, hers, "justice")
    await station.post(f"/cases/{hers}/complaints", {"occurred_at": read_at.isoformat()} if written else {})
    assert await stands(station, hers) == "due"
    town.clock.advance(timedelta(hours=6))
    sent_on = {
        "case_id": hers, "to_agency": "justice", "to_facility": FISCALIA, "services": ["prosecution"], "urgency": "urgent",
    }  # fmt: skip
    to_clerk = await station.post("/referrals", sent_on | ({"entered_for": place} if written else {}))
    clerk = await town.at_work("justice", FISCALIA)
    await town.stands(clerk, to_clerk, "issued")
    await clerk.post(f"/referrals/{to_clerk['id']}/accept")
    await town.stands(station, to_clerk, "accepted")
    assert await stands(station, hers) == "in_time"
    assert await handed_after(station, hers) == timedelta(hours=11 if written else 6)  # from when the station heard of it
    await town.settle()
    for sent in (to_station, to_institute):
        mine = await unit.get(f"/referrals/{sent['id']}")
        assert (mine["arrived_at"] is not None) == tells_back  # the unit hears that she came only where she says so
    await town.goes_offline("mobile")


async def test_a_complaint_by_its_first_time_is_late_at_once_and_is_handed_over_all_the_same(town: ProgrammeTown) -> None:
    """A unit was away with it for longer than the prosecutor's day. Registered at the station with the time at which she first told
    it, the clock has run out, and says so; late is never too late."""
    desk, head = await town.at_work("police", STATION), await town.at_work("police", STATION, Role.SUPERVISOR)
    case = await woman(town, desk)
    await agrees(desk, case[0], "justice")
    first = town.clock.now() - OFFLINE
    await desk.post(f"/cases/{case[0]}/complaints", {"incident_id": case[1], "occurred_at": first.isoformat()})
    await town.watch()
    assert await stands(desk, case[0]) == "late"
    assert "hand_over_late" in await alarms(head, case[0])
    sent = await asks(desk, case, f"justice/{FISCALIA}", "prosecution")
    await arrived(town, sent, "justice")
    assert (await stands(desk, case[0]), await handed_after(desk, case[0])) == ("handed_late", OFFLINE)


# --- mandates --------------------------------------------------------------------------------------------------------------


async def test_a_rape_reported_in_ecuador_is_received_and_handed_on_warmly(town: ProgrammeTown) -> None:
    desk, clerk = await town.at_work("police_ec", ECUADOR), await town.at_work("justice_ec", FISCALIA_EC)
    pages = await at_pages(town, "police_ec", ECUADOR, Role.OFFICER)
    page = await pages.open("/cases/new")
    page = await pages.send(
        page.form("/cases/new"), hurt_now="no", age_band="25-49", sex="female", at_least=18, at_most=20, language="es",
        came_with="nobody", incident_type="rape",
    )  # fmt: skip
    assert page.path.endswith("/consent"), page.words  # nobody is turned away at the first page
    case_id = page.path.split("/")[2]
    await desk.post(f"/cases/{case_id}/complaints", {})  # and the complaint is registered here
    (said,) = (await desk.get(f"/cases/{case_id}/mandates"))["items"]
    assert (said["to"], said["referral_id"]) == (["justice_ec/prosecutor_ec_1", "justice_ec/prosecutor_ec_2"], None)
    page = await pages.open(f"/cases/{case_id}/consent")
    page = await pages.send(page.form(page.path), answer_justice_ec="yes", answer_back="yes", how="spoken", language="es")
    assert "outside the mandate of this desk" in page.words
    assert "It is received here all the same" in page.words
    page = await pages.send(
        page.form(page.path), care="prosecution", place=f"justice_ec/{FISCALIA_EC}", mode="police_vehicle", escort="officer",
        expected="10:30", carries="nothing",
    )  # fmt: skip
    sent = {"id": page.path.split("/")[2]}
    await arrived(town, sent, "justice_ec")
    await clerk.post(f"/referrals/{sent['id']}/accept")
    await town.stands(desk, sent, "accepted")
    (said,) = (await desk.get(f"/cases/{case_id}/mandates"))["items"]
    assert said["referral_id"] == sent["id"]
    assert "outside the mandate" not in (await pages.open(f"/cases/{case_id}/refer")).words  # it is with whoever has it
    assert await stands(desk, case_id) == "in_time"


async def test_another_place_that_declines_leaves_it_with_the_desk(town: ProgrammeTown) -> None:
    desk, clerk = await town.at_work("police_ec", ECUADOR), await town.at_work("justice_ec", FISCALIA_EC)
    case = await woman(town, desk, "sexual_assault")
    await agrees(desk, case[0], "justice_ec")
    sent = await asks(desk, case, f"justice_ec/{FISCALIA_EC}", "prosecution")
    await arrived(town, sent, "justice_ec")
    await clerk.post(f"/referrals/{sent['id']}/decline", {"reason_code": "conflict_of_interest"})
    await town.stands(desk, sent, "declined")
    (said,) = (await desk.get(f"/cases/{case[0]}/mandates"))["items"]
    assert said["referral_id"] is None  # told again: nobody has it


async def test_her_no_to_another_place_refuses_her_nothing(town: ProgrammeTown) -> None:
    desk, clerk = await town.at_work("police_ec", ECUADOR), await town.whole("justice_ec")
    case, before = await woman(town, desk), (await clerk.get("/referrals?limit=200"))["items"]
    with pytest.raises(Refused) as error:  # nothing goes without her yes
        await asks(desk, case, f"justice_ec/{FISCALIA_EC}", "prosecution")
    assert (error.value.status, error.value.problem["title"]) == (422, "Consent is missing")
    made = await desk.post(f"/cases/{case[0]}/complaints", {"incident_id": case[1]})
    assert made["state"] not in ("refused", "withdrawn")
    (said,) = (await desk.get(f"/cases/{case[0]}/mandates"))["items"]
    assert said["referral_id"] is None
    assert (await clerk.get("/referrals?limit=200"))["items"] == before


@pytest.mark.parametrize(
    ("agency", "place", "incident", "to"),
    [
        ("police_ec", ECUADOR, "gbv", None),  # the coarse word tells nothing
        ("police_ec", ECUADOR, "physical_assault", None),
        ("police", ORDINARY, "forced_marriage", None),
        ("police", STATION, "rape", None),
        ("police", STATION, "forced_marriage", ["justice/prosecutor_ni_1", "justice/prosecutor_ni_2"]),
    ],
)
async def test_a_mandate_that_is_not_known_narrows_nothing(
    town: ProgrammeTown, agency: str, place: str, incident: str, to: list[str] | None
) -> None:
    desk = await town.at_work(agency, place)
    case = await woman(town, desk, incident)
    found = (await desk.get(f"/cases/{case[0]}/mandates"))["items"]
    assert [one["to"] for one in found] == ([to] if to else [])


# --- any desk -------------------------------------------------------------------------------------------------------------


async def test_any_desk_issues_and_the_share_of_the_others_is_seen(town: ProgrammeTown) -> None:
    expected = load_programme("latam-wps").expect["non_specialist_share"]
    assert not expected.is_met(0)
    for place in (STATION, ORDINARY):
        desk = await town.at_work("police", place)
        case = await woman(town, desk)
        await agrees(desk, case[0], "justice")
        await arrived(town, await asks(desk, case, f"justice/{FISCALIA}", "prosecution"), "justice")
    share = await counted(town, "non_specialist_share")
    assert share is not None
    assert 0 < share < 1
    assert expected.is_met(share)


async def test_an_ordinary_station_that_sends_on_without_a_line_is_a_breach(town: ProgrammeTown) -> None:
    desk, head = await town.at_work("police", STATION), await town.at_work("police", STATION, Role.SUPERVISOR)
    case = await woman(town, desk)  # she tells at the women's station where she was before
    kept = await desk.post(f"/cases/{case[0]}/breaches", {"code": "sent_on_unrecorded", "by_whom": "police"})
    assert kept["rules"] == ["ordinary_must_accept"]
    assert (await alarms(head, case[0]))["breach"] == "jefa_de_comisaria"
    pages = await at_pages(town, "police", STATION, Role.OFFICER)
    page = await pages.open(f"/cases/{case[0]}/breach")
    assert "Sent on from a station that wrote nothing down" in page.words


async def test_a_conciliation_is_blocked_and_told_and_has_no_outcome(town: ProgrammeTown) -> None:
    desk, head = await town.at_work("police", STATION), await town.at_work("police", STATION, Role.SUPERVISOR)
    before = await counted(town, "mediation_started") or 0
    case = await woman(town, desk, "physical_assault")
    complaint = await desk.post(f"/cases/{case[0]}/complaints", {})
    await desk.post(f"/cases/{case[0]}/progress", {"code": "pressure_to_settle"})
    kept = await desk.post(f"/cases/{case[0]}/breaches", {"code": "mediation_attempted", "by_whom": "police"})
    assert kept["rules"] == ["no_mediation"]
    assert (await alarms(head, case[0]))["breach"] == "jefa_de_comisaria"
    for code in ("settled", "mediated", "conciliated"):
        answer = await desk.ask("POST", f"/cases/{case[0]}/complaints/{complaint['id']}/steps", {"code": code})
        assert answer.status_code == 422  # there is no such step, and no such end
    assert await counted(town, "mediation_started") == before + 1
    assert not load_programme("latam-wps").expect["mediation_started"].is_met(before + 1)
    (stays,) = (await desk.get(f"/cases/{case[0]}/complaints"))["items"]
    assert stays["state"] not in ("settled", "withdrawn")


# --- prosecutor and institute ---------------------------------------------------------------------------------------------


async def test_a_hand_over_is_in_time_or_late_and_told(town: ProgrammeTown) -> None:
    desk, head = await town.at_work("police", STATION), await town.at_work("police", STATION, Role.SUPERVISOR)
    in_time, late = await woman(town, desk), await woman(town, desk)
    for case in (in_time, late):
        await agrees(desk, case[0], "justice")
        await desk.post(f"/cases/{case[0]}/complaints", {"incident_id": case[1]})
    await town.pass_by(hours=24)  # the last moment is in time
    await asks(desk, in_time, f"justice/{FISCALIA}", "prosecution")
    await town.pass_by(seconds=1)
    assert (await stands(desk, in_time[0]), await stands(desk, late[0])) == ("in_time", "late")
    assert "hand_over_late" in await alarms(head, late[0])
    sent = await asks(desk, late, f"justice/{FISCALIA}", "prosecution")  # never too late
    await arrived(town, sent, "justice")
    await town.pass_by(minutes=1)
    assert await stands(desk, late[0]) == "handed_late"
    assert "hand_over_late" not in await alarms(head, late[0])
    share = await counted(town, "handed_over_in_time")
    assert share is not None
    assert 0 < share < 1


async def test_the_institute_examines_and_the_order_follows(town: ProgrammeTown) -> None:
    desk, examiner = await town.at_work("police", STATION), await town.at_work("justice", INSTITUTE)
    case = await woman(town, desk)
    await agrees(desk, case[0], "justice")
    sent = await asks(desk, case, f"justice/{INSTITUTE}", "examination_and_report", urgency="acute")
    there = (await arrived(town, sent, "justice"))["case_id"]
    await examiner.post(f"/referrals/{sent['id']}/arrive")
    begun = await examiner.post(f"/cases/{there}/examinations", {"post": "medica_forense", "agreed": True})
    assert begun["order_state"] == "awaited"
    await examiner.post(f"/examinations/{begun['id']}/order-asked", {"asked_of": "police"})
    await examiner.post(f"/examinations/{begun['id']}/done", {})
    await town.pass_by(hours=48, seconds=1)
    assert "order_missing" in await alarms(await town.whole("justice"), there)
    came = await examiner.post(f"/examinations/{begun['id']}/order-came", {"order_number": "ORD/7/26"})
    assert came["order_state"] == "came"
    assert "order_missing" not in await alarms(await town.whole("justice"), there)


# --- on paper, and without feedback -----------------------------------------------------------------------------------------


async def test_a_station_on_paper_is_entered_by_another_with_its_own_times(town: ProgrammeTown) -> None:
    hub, clerk = await town.at_work("police", HUB), await town.at_work("justice", FISCALIA)
    case = await woman(town, hub, facility=DARK)
    at = town.clock.now() - timedelta(hours=9)
    await agrees(hub, case[0], "justice", "fb")
    sent = await asks(hub, case, f"justice/{FISCALIA}", "prosecution", entered_for=DARK, occurred_at=at.isoformat())
    there = await arrived(town, sent, "justice")
    assert datetime.fromisoformat(there["issued_at"]) == at
    await clerk.post(f"/referrals/{sent['id']}/accept")
    await town.stands(hub, sent, "accepted")


async def test_she_refuses_feedback_and_the_station_learns_nothing(town: ProgrammeTown) -> None:
    desk, nurse = await town.at_work("police", STATION), await town.at_work("health", HOSPITAL)
    case = await woman(town, desk)
    await agrees(desk, case[0], "health", "needs", "fb")  # yes at the station, no when she is asked again
    sent = await asks(desk, case, f"health/{HOSPITAL}", "acute_care", urgency="acute")
    await arrived(town, sent, "health")
    for act in ("acknowledge", "accept"):
        await nurse.post(f"/referrals/{sent['id']}/{act}")
    await nurse.post(f"/referrals/{sent['id']}/arrive", {"feedback": False})
    await nurse.post(f"/referrals/{sent['id']}/close", {"outcome_code": "served"})

    await town.pass_by(days=8)

    async def is_told_that_no_news_is_her_choice() -> bool:
        return bool((await desk.get(f"/referrals/{sent['id']}"))["no_feedback"])

    await until(is_told_that_no_news_is_her_choice)
    await town.watch()
    mine = await desk.get(f"/referrals/{sent['id']}")
    assert (mine["arrived_at"], mine["outcome_code"], mine["flags"]) == (None, None, [])
    assert "outcome" not in json.dumps((await desk.get(f"/cases/{case[0]}/timeline?limit=200"))["items"])


# --- what goes wrong with a station, and with specialists --------------------------------------------------------------------


async def test_one_number_in_two_versions_keeps_both(town: ProgrammeTown) -> None:
    """The unit's disk was copied before it registered something: the copy gives the same number to something else."""
    await town.goes_offline("mobile")
    unit = await town.at_work("mobile", UNIT)
    copy, last = await town.back_up("mobile"), (await unit.get("/register"))["last"]
    case = await woman(town, unit)
    await unit.post(f"/cases/{case[0]}/complaints", {})
    await town.comes_online("mobile")
    inspector = await town.at_work("police", None, Role.SUPERVISOR)

    async def is_held(number: int) -> bool:
        (station,) = (await inspector.get("/stations"))["items"]
        return bool(station["highest"] >= number)

    await until(lambda: is_held(last + 1))
    await town.goes_offline("mobile")
    await town.restore("mobile", copy)
    again = await town.at_work("mobile", UNIT)
    other = await woman(town, again)
    await agrees(again, other[0], "police")
    await asks(again, other, f"police/{STATION}", "report_to_police")
    await town.comes_online("mobile")

    async def are_both_shown() -> bool:
        (station,) = (await inspector.get("/stations"))["items"]
        return any(one["number"] == last + 1 for one in station["twice"])

    await until(are_both_shown)
    (station,) = (await inspector.get("/stations"))["items"]
    (twice,) = [one for one in station["twice"] if one["number"] == last + 1]
    assert sorted(one["what"] for one in twice["versions"]) == ["complaint", "referral"]
    await town.watch()
    assert "station_number_twice" in await alarms(await town.whole("police"), None)
    await town.goes_offline("mobile")


async def test_where_every_desk_is_a_specialists_nobody_is_told(town: ProgrammeTown) -> None:
    """In Ecuador every desk of the network is a women's station: that nobody else sends anybody says nothing, and alarms nobody for
    ever."""
    desk = await town.at_work("police_ec", ECUADOR)
    of = quarter_of(town)
    for _ in range(MANY):
        case = await woman(town, desk, "physical_assault")
        await agrees(desk, case[0], "justice_ec")
        await arrived(town, await asks(desk, case, f"justice_ec/{FISCALIA_EC}", "prosecution"), "justice_ec")
    assert await counted(town, "non_specialist_share", "police_ec") is None
    row = await overseen(town, "police_ec", of)
    assert row["non_specialist_percent"] == 0
    assert "police_ec" not in {peer for peer, _quarter in await isolated(town)}


@pytest.mark.parametrize("others", [(), (ORDINARY,)], ids=["nobody else", "and one of another desk"])
async def test_where_only_specialised_desks_send_the_body_that_watches_is_told_with_counts_and_no_case(
    town: ProgrammeTown, others: tuple[str, ...]
) -> None:
    """In Nicaragua there are ordinary stations too: where in a whole quarter none of them sent anybody, somebody is to ask why."""
    town.clock.advance(datetime.combine(quarter_of(town).until, time(15), UTC) - town.clock.now())  # a quarter of its own
    of, desks, known = quarter_of(town), {place: await town.at_work("police", place) for place in (STATION, *others)}, []
    for place in (*[STATION] * MANY, *others):
        case = await woman(town, desks[place])
        await agrees(desks[place], case[0], "justice")
        sent = await asks(desks[place], case, f"justice/{FISCALIA}", "prosecution")
        await arrived(town, sent, "justice")
        known += [*case, sent["id"]]
    row = await overseen(town, "police", of)
    told = {cube["cube"]: cube["numbers"] for cube in row["cubes"]}
    assert (told["reports"][""], told["referrals"][""]) == (MANY + len(others), MANY + len(others))
    assert row["is_isolated"] is (not others)
    assert (("police", of.name) in await isolated(town)) is (not others)
    held, head = await everything(town["oversight"].database), await town.at_work("oversight", None)
    assert [one for one in known if one in held or one.replace("-", "") in held] == []
    for path in ("/cases", f"/cases/{known[0]}", "/referrals", f"/referrals/{known[2]}"):
        assert (await head.ask("GET", path)).status_code == 404


def quarter_of(town: ProgrammeTown) -> Period:
    now = town.clock.now()
    return period(f"{now.year}-{now.month:02}").quarter


async def overseen(town: ProgrammeTown, agency: str, of: Period) -> Any:
    """What the oversight body hears of an agency's quarter, once that is over and figures are told; then its watcher looks."""
    town.clock.advance(datetime.combine(of.until, time(8), UTC) + timedelta(days=20) - town.clock.now())
    await town[agency].watcher.tick()
    heard: list[Any] = []

    async def is_heard() -> bool:
        rows = (await (await town.whole("oversight")).get(f"/national?period={of.name}"))["items"]
        heard[:] = [one for one in rows if one["agency"] == agency and one["cubes"]]
        return bool(heard)

    await until(is_heard)
    town.clock.advance(timedelta(hours=1, minutes=1))  # it looks once an hour
    await town["oversight"].watcher.tick()
    return heard[0]


async def isolated(town: ProgrammeTown) -> set[tuple[str, str]]:
    """Of which police and quarter the oversight body's post is told that nobody else sends: (police, quarter)."""
    rows = (await (await town.whole("oversight")).get("/alarms?limit=200"))["items"]
    return {(one["detail"]["peer"], one["detail"]["quarter"]) for one in rows if one["kind"] == "no_other_desks"}
