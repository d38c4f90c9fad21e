"""Rwanda, a gender desk at each of 69 police stations and the line 3512 (domain guide 4.3, practice guide "The six scenarios, made
real"): each story on the network that the profile makes, over a real Kafka, each agency on a PostgreSQL database of its own.

A call stays within the police; what crosses begins at a desk, with her consent. Both are read from each agency's own records.

| story | test |
|---|---|
| acceptance: from every district to one desk, seen in 15 minutes | `test_calls_from_every_district_reach_one_desk_each` |
| acceptance: from the call to Isange and back, each end knows its part | `test_a_girl_calls_and_isange_knows_nothing_of_the_call` |
| acceptance: no private room at the desk, another offered; child protection added | the same |
| party on paper: the line is down, calls on paper (long tier) | `test_calls_from_every_district_reach_one_desk_each` |
| the same with an Isange centre on paper, and with feedback refused | `test_a_girl_calls_and_isange_knows_nothing_of_the_call` |
| feedback refused: the desk's clocks end | `test_she_refuses_feedback_and_the_desk_learns_nothing` |
| no private room and no vehicle, language | `test_a_desk_without_room_and_vehicle_and_language_is_said_and_others_offered` |
| dropped call, no credit, cut call | `test_a_cut_call_is_called_back_only_where_she_said_that_it_is_safe` |
| unreachable desk: neighbour and escalation; 14:59, 15:00, 15:01 | `test_an_unreachable_desk_loses_the_call_after_15_minutes` |
| one desk unmanned: 68 of 69 and an alarm | `test_one_unmanned_desk_is_a_figure_and_an_alarm` |
| call and SMS of one person | `test_a_call_and_a_message_of_one_person_are_merged_by_a_person_only` |
| wrong number | `test_of_a_wrong_number_nothing_is_kept_and_nobody_hears` |
| nobody can telephone from there: the nearest station | `test_whoever_cannot_call_walks_into_any_station` |
| outage: the routing list on paper | `test_the_printed_list_has_every_desk_in_the_order_of_the_chain` |
| the same list from the room's board, in both directions | `tests/pages/test_hotline.py` |
| any roster and readiness: exactly one desk | `tests/unit/test_hotline_routes.py` (pure) |
| nobody on duty in the country; last resort; what is sealed | `tests/api/test_hotline.py` (in this process) |
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from agencies import Desk, Refused, consent
from printed import lines_of
from programme_town import ProgrammeTown, programme_town
from signing_in import settled_account, sign_in
from visitor import Visitor

from services.police.hotline.desks import desks_now
from services.police.hotline.routing_list import chain
from shared.casework.accounts.commands import find_account
from shared.casework.accounts.rosters import DUTY_MAX
from shared.contracts.casework.codes import Role
from shared.kit.local.postgres_databases import PostgresDatabases

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]  # the first one starts the broker

ROOM, DESKS, DISTRICTS = "hotline_room_1", 69, 30
PAPER_CENTRE, PAPER_HUB = "isange_centre_30", "isange_centre_1"
ALL_THERE = {"is_trained": True, "assets": ["interview_room", "vehicle", "computer"], "languages": ["rw", "en", "fr", "sw"]}
MINUTES_15 = timedelta(minutes=15)


@dataclass(slots=True)
class Country:
    """The agencies, an officer on duty at each desk, and whoever answers the line."""

    town: ProgrammeTown
    desks: dict[str, Desk]
    accounts: dict[str, str]  # whose they are, by the same places
    room: Desk
    lead: Desk

    def of(self, district: str) -> list[str]:
        """The desks of a district."""
        places = self.town["police"].here.entry.facilities
        return [id_ for id_ in self.desks if places[id_].district == district]

    async def call(self, district: str | None, **more: Any) -> Any:
        """A report that the room takes."""
        said = {"channel": "voice", "what": "report", "need": "protection", "language": "rw", **more}
        return await self.room.post("/calls", said | ({"district": district} if district else {}))

    async def board(self) -> Any:
        """What the line came to since a moment ago."""
        return await self.room.get("/hotline")

    async def roster(self, *absent: str) -> None:
        """Another day: from now on an officer is at each desk, but for these, where nobody is."""
        self.town.clock.advance(DUTY_MAX)  # so that whatever stood on the roster has ended
        now = self.town.clock.now()
        hours = {"from_at": now.isoformat(), "until_at": (now + DUTY_MAX).isoformat()}
        there = {id_: account for id_, account in self.accounts.items() if id_ not in absent}
        lines = [{"facility": id_, "post": "desk_officer", "account_id": account, **hours} for id_, account in there.items()]
        await (await self.town.whole("police")).post("/duties", {"duties": lines})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def land(postgres: PostgresDatabases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Country]:
    folder = tmp_path_factory.mktemp("rwanda")
    on_paper = {PAPER_CENTRE: {"mode": "paper", "hub": PAPER_HUB}}  # the profile has every centre online
    async with programme_town("rw-gender-desk", postgres, folder, on_paper) as town:
        police = town["police"]
        names = {
            id_: f"officer-{id_}".replace("_", "-")
            for id_, place in police.here.entry.facilities.items()
            if place.kind == "gender_desk"
        }
        desks = {id_: await police.sign_in(name, Role.OFFICER, id_) for id_, name in names.items()}
        async with police.database.read() as tx:
            accounts = {id_: str((await find_account(tx, name)).id) for id_, name in names.items()}
        room = await town.at_work("police", ROOM)
        yield Country(town, desks, accounts, room, await town.at_work("police", ROOM, Role.SUPERVISOR))


@pytest_asyncio.fixture(loop_scope="module")
async def country(land: Country) -> Country:
    """A day on which somebody is at each of the 69 desks."""
    await land.roster()
    return land


async def refused(work: Any) -> tuple[int, str]:
    """How a request is refused: status and sentence."""
    with pytest.raises(Refused) as error:
        await work
    return error.value.status, error.value.problem["detail"]


async def known(desk: Desk) -> set[str]:
    """The ids of every case and referral that an agency's account finds."""
    return {row["id"] for what in ("cases", "referrals") for row in (await desk.get(f"/{what}?limit=200"))["items"]}


async def alarms(desk: Desk, about: str) -> dict[str, str]:
    """Open alarms about a call, or of a desk, and which post each is at."""
    rows = (await desk.get("/alarms?limit=200"))["items"]
    return {
        a["kind"]: a["post"]
        for a in rows
        if not a["resolved_at"] and about in (a["about"], a["detail"].get("desk"), a["detail"].get("call"))
    }


async def to_isange(country: Country, desk: Desk, case_id: str, centre: str, *items: str) -> Any:
    """A request for acute care that has come to a centre."""
    await consent(desk, case_id, "health", "needs", *items, language="rw")
    body = {"case_id": case_id, "to_agency": "health", "to_facility": centre, "services": ["acute_care"], "urgency": "acute"}
    sent = await desk.post("/referrals", body)
    await country.town.stands(await country.town.whole("health"), sent, "issued")
    return sent


async def served(nurse: Desk, sent: Any, feedback: bool, **written: str) -> None:
    """From accepted to closed; `written` says for whom, and of when, on paper."""
    await nurse.post(f"/referrals/{sent['id']}/accept", written)
    await nurse.post(f"/referrals/{sent['id']}/arrive", {"feedback": feedback, **written})
    at = {"occurred_at": written["occurred_at"]} if written else {}
    await nurse.post(f"/referrals/{sent['id']}/care", {"care": "sti_prophylaxis", "result": "given", **at})
    await nurse.post(f"/referrals/{sent['id']}/close", {"outcome_code": "served", **written})


@pytest.mark.parametrize(
    "hours_on_paper", [pytest.param(0, id="as they come"), pytest.param(3, id="calls on paper", marks=pytest.mark.long)]
)
async def test_calls_from_every_district_reach_one_desk_each(country: Country, hours_on_paper: int) -> None:
    """Where the line's computer is away, the room takes calls with the printed list beside it, and enters them afterwards."""
    lead, town = country.lead, country.town
    whole = await town.whole("police")
    came = town.clock.now()
    town.clock.advance(timedelta(hours=hours_on_paper))
    for id_ in country.desks:
        await whole.post("/hotline/desk", {**ALL_THERE, "facility": id_})
    places = town["police"].here.entry.facilities
    districts = list(town["police"].here.programme.districts)
    calls = [await country.call(district, came_at=came.isoformat()) for district in districts]
    at = {id_: {row["id"] for row in (await desk.get("/calls?limit=200"))["items"]} for id_, desk in country.desks.items()}
    for district, call in zip(districts, calls, strict=True):
        (only,) = [id_ for id_, rows in at.items() if call["id"] in rows]
        assert (only, call["step"], places[only].district) == (call["desk"], "fits", district)
        assert call["lacks"] == []
    town.clock.advance(MINUTES_15)  # the fifteenth minute is in time
    for call in calls:
        await country.desks[call["desk"]].post(f"/calls/{call['id']}/seen")
    await town.watch()
    since, until = (moment.isoformat().replace("+00:00", "Z") for moment in (came, came + timedelta(seconds=1)))
    board = await lead.get(f"/hotline?since={since}&until={until}")  # counted at the hour at which they came
    assert (board["calls"], board["routed"], board["unrouted"], board["seen_in_time"]) == (DISTRICTS, DISTRICTS, 0, DISTRICTS)
    assert (board["desks_ready"], board["desks"], board["station_coverage_pct"]) == (DESKS, DESKS, 100.0)


@pytest.mark.parametrize(
    ("district", "centre", "tells_back"),
    [
        pytest.param("huye", "isange_centre_17", True, id="as she says"),
        pytest.param("rutsiro", PAPER_CENTRE, True, id="a centre on paper"),
        pytest.param("kicukiro", "isange_centre_2", False, id="feedback refused"),
    ],
)
async def test_a_girl_calls_and_isange_knows_nothing_of_the_call(
    country: Country, district: str, centre: str, tells_back: bool
) -> None:
    """From the line to the end of her request, from a desk without a private room; what stands on paper is entered by another
    centre."""
    town, on_paper = country.town, centre == PAPER_CENTRE
    nurse, office = await town.at_work("health", PAPER_HUB if on_paper else centre), await town.whole("social_welfare")
    at_office = await known(office)
    own, with_a_room = country.of(district), country.of("musanze")[0]
    for id_ in own:
        await country.desks[id_].post("/hotline/desk", {**ALL_THERE, "assets": ["vehicle", "computer"]})
    await country.desks[with_a_room].post("/hotline/desk", ALL_THERE)
    call = await country.call(district, is_child=True, need="acute_care")
    assert set(call["said"]["needs"]) == {"acute_care", "child_protection"}
    assert (call["desk"] in own, call["lacks"]) == (True, [{"what": "interview_room", "other": with_a_room}])
    desk = country.desks[call["desk"]]
    case = await desk.post(f"/calls/{call['id']}/case")
    sent = await to_isange(country, desk, case["id"], centre, "fb")
    came_at, written = town.clock.now(), {}
    if on_paper:  # told by phone, and entered by its hub in the afternoon
        await desk.post(f"/referrals/{sent['id']}/told-by-phone", {"post": "duty_nurse"})
        await town.pass_by(hours=5)
        assert "unacknowledged" not in (await desk.get(f"/referrals/{sent['id']}"))["flags"]
        written = {"entered_for": centre, "occurred_at": came_at.isoformat()}
    await served(nurse, sent, tells_back, **written)
    if tells_back:
        seen = await town.stands(desk, sent, "closed")
        times = {datetime.fromisoformat(seen[name]) for name in ("accepted_at", "arrived_at", "ended_at")}
        assert (seen["outcome_code"], times) == ("served", {came_at})
    await town.settle()
    if not tells_back:
        mine = await desk.get(f"/referrals/{sent['id']}")
        assert (mine["status"], mine["arrived_at"], mine["ended_at"], mine["outcome_code"]) == ("accepted", None, None, None)
    there = await nurse.get(f"/referrals/{sent['id']}")
    lines = await nurse.get(f"/cases/{there['case_id']}/timeline?limit=200")
    told = json.dumps([there, lines, await nurse.get(f"/cases/{there['case_id']}")])
    of_the_call = (call["id"], case["id"], '"3512"', "line 3512", "answers 3512", "voice", "hotline")
    assert [word for word in of_the_call if word in told] == []
    assert (await country.room.ask("GET", f"/cases/{case['id']}")).status_code == 404  # the case is the desk's
    (other, *_) = [id_ for id_ in own if id_ != call["desk"]]
    assert (await country.desks[other].ask("GET", f"/cases/{case['id']}")).status_code == 404
    assert "sti_prophylaxis" in json.dumps(await nurse.get(f"/referrals/{sent['id']}/care"))
    assert "sti_prophylaxis" not in json.dumps(await desk.get(f"/cases/{case['id']}/timeline?limit=200"))
    assert await known(office) == at_office  # child protection is proposed to the desk, and sent by nobody but it


async def test_she_refuses_feedback_and_the_desk_learns_nothing(country: Country) -> None:
    town, centre = country.town, "isange_centre_2"
    nurse, call = await town.at_work("health", centre), await country.call("kicukiro")
    desk = country.desks[call["desk"]]
    case = await desk.post(f"/calls/{call['id']}/case")
    sent = await to_isange(country, desk, case["id"], centre, "fb")
    await served(nurse, sent, feedback=False)
    await town.settle()
    mine = await desk.get(f"/referrals/{sent['id']}")
    assert (mine["status"], mine["arrived_at"], mine["outcome_code"], mine["no_feedback"]) == ("accepted", None, None, False)
    await town.pass_by(days=7)
    await town.settle()
    await town.watch()
    mine = await desk.get(f"/referrals/{sent['id']}")
    assert (mine["status"], mine["arrived_at"], mine["no_feedback"], mine["flags"]) == ("accepted", None, True, [])
    story = json.dumps(await desk.get(f"/cases/{case['id']}/timeline?limit=200"))
    assert [word for word in ('"referral.arrived"', '"referral.closed"', "sti_prophylaxis") if word in story] == []
    assert (await nurse.get(f"/referrals/{sent['id']}"))["status"] == "closed"


# --- bad paths of the line -------------------------------------------------------------------------------------------------


async def test_a_desk_without_room_and_vehicle_and_language_is_said_and_others_offered(country: Country) -> None:
    bare, *others = country.of("nyanza")
    await country.roster(*others)  # or the call would go to the one that has all
    for other in others:
        await country.desks[other].post(
            "/hotline/desk", {"is_trained": True, "assets": ["interview_room", "vehicle"], "languages": ["rw"]}
        )
    neighbour = country.of("nyamagabe")[0]
    await country.desks[neighbour].post("/hotline/desk", ALL_THERE)
    await country.desks[bare].post("/hotline/desk", {"is_trained": True, "assets": ["computer"], "languages": ["rw"]})
    call = await country.call("nyanza", language="sw", needs_vehicle=True)
    assert (call["desk"], call["step"]) == (bare, "fits")  # the desk of her district has it all the same
    offered = {lack["what"]: lack["other"] for lack in call["lacks"]}
    # Each of them where it is and somebody is there, which is at no other desk of her district.
    assert offered == dict.fromkeys(("interview_room", "vehicle", "language"), neighbour)
    seen = await country.desks[bare].get(f"/calls/{call['id']}")
    assert {lack["what"] for lack in seen["lacks"]} == offered.keys()


async def test_a_cut_call_is_called_back_only_where_she_said_that_it_is_safe(country: Country) -> None:
    cut = await country.room.post("/calls", {"channel": "voice", "what": "cut", "district": "gasabo"})
    desk = country.desks[cut["desk"]]
    assert (await refused(desk.post(f"/calls/{cut['id']}/called-back")))[0] == 409
    no_credit = await country.room.post("/calls", {"channel": "sms", "what": "cut", "may_call_back": True})
    assert (no_credit["desk"], no_credit["step"]) == (ROOM, "answered")  # nobody knows where she is: the room has it
    assert (await country.room.post(f"/calls/{no_credit['id']}/called-back"))["called_back_at"]
    for call in (cut, no_credit):
        assert not {"number", "phone", "caller"} & (await country.room.get(f"/calls/{call['id']}")).keys()


async def test_an_unreachable_desk_loses_the_call_after_15_minutes(country: Country) -> None:
    town = country.town
    call = await country.call("ruhango")
    first = call["desk"]
    for span in (timedelta(minutes=14, seconds=59), timedelta(seconds=1)):
        await town.pass_by(seconds=span.total_seconds())
        assert (await country.room.get(f"/calls/{call['id']}"))["desk"] == first  # 14:59, and 15:00 itself
        assert await alarms(country.lead, call["id"]) == {}
    await town.pass_by(seconds=1)
    now = await country.room.get(f"/calls/{call['id']}")
    assert (now["desk"] != first, now["desk"] in country.of("ruhango")) == (True, True)
    assert await alarms(country.lead, call["id"]) == {"call_not_seen": "hotline_supervisor"}
    assert (await country.desks[first].ask("GET", f"/calls/{call['id']}")).status_code == 404
    await town.pass_by(minutes=15, seconds=1)
    now = await country.room.get(f"/calls/{call['id']}")
    assert now["desk"] not in country.of("ruhango")  # the district has no other: a neighbour
    await country.desks[now["desk"]].post(f"/calls/{call['id']}/seen")
    assert await alarms(country.lead, call["id"]) == {}


async def test_one_unmanned_desk_is_a_figure_and_an_alarm(country: Country) -> None:
    town, empty = country.town, country.of("muhanga")[0]
    commander = await town.at_work("police", empty, Role.SUPERVISOR)
    await town.watch()
    assert ((await country.board())["station_coverage_pct"], await alarms(commander, empty)) == (100.0, {})
    await country.roster(empty)
    await town.watch()
    board = await country.board()
    assert (board["desks_ready"], board["station_coverage_pct"], board["desks_not_ready"]) == (DESKS - 1, 98.6, [empty])
    assert await alarms(commander, empty) == {"desk_unmanned": "station_commander"}
    call = await country.call("muhanga")
    assert (call["desk"] != empty, call["desk"] in country.of("muhanga")) == (True, True)
    await country.desks[call["desk"]].post(f"/calls/{call['id']}/seen")
    await country.roster()
    await town.watch()
    assert ((await country.board())["station_coverage_pct"], await alarms(commander, empty)) == (100.0, {})


async def test_a_call_and_a_message_of_one_person_are_merged_by_a_person_only(country: Country) -> None:
    first = await country.call("burera", need="shelter")
    country.town.clock.advance(timedelta(minutes=5))
    second = await country.call("burera", need="shelter", channel="sms")
    assert second["id"] in (await country.room.get(f"/calls/{first['id']}"))["may_be_of_one_person"]
    await country.town.watch()
    assert (await country.room.get(f"/calls/{second['id']}"))["merged_into"] is None  # nothing has put them together
    await country.room.post(f"/calls/{second['id']}/merge", {"into": first["id"]})
    desk = country.desks[first["desk"]]
    before = await known(desk)
    case = await desk.post(f"/calls/{first['id']}/case")
    assert await known(desk) - before == {case["id"]}
    assert (await refused(country.desks[second["desk"]].post(f"/calls/{second['id']}/case")))[0] == 409


async def test_of_a_wrong_number_nothing_is_kept_and_nobody_hears(country: Country) -> None:
    others = [await country.town.whole(agency) for agency in ("health", "social_welfare")]
    before = [await known(desk) for desk in others]
    call = await country.call("musanze", what="wrong_number", is_child=True, may_call_back=True)
    kept = await country.room.get(f"/calls/{call['id']}")
    assert {name: kept[name] for name in ("said", "district", "desk", "case_id")} == dict.fromkeys(
        ("said", "district", "desk", "case_id")
    )
    for desk in country.of("musanze"):
        assert (await country.desks[desk].ask("GET", f"/calls/{call['id']}")).status_code == 404
    await country.town.settle()
    assert [await known(desk) for desk in others] == before


async def test_whoever_cannot_call_walks_into_any_station(country: Country) -> None:
    """The line does not reach everywhere: an ordinary station of the same place sends her on as a gender desk would."""
    town, station = country.town, "police_station_12"
    desk, nurse = await town.at_work("police", station), await town.at_work("health", "isange_centre_12")
    case = await desk.post("/cases", {"needs": {"age_band": "25-49", "sex": "female", "language": "rw"}})
    sent = await to_isange(country, desk, case["id"], "isange_centre_12", "fb")
    assert (await nurse.get(f"/referrals/{sent['id']}"))["from_facility"] == station
    await served(nurse, sent, feedback=True)
    assert (await town.stands(desk, sent, "closed"))["outcome_code"] == "served"


async def test_the_printed_list_has_every_desk_in_the_order_of_the_chain(country: Country) -> None:
    police = country.town["police"]
    async with police.database.read() as tx:
        desks = await desks_now(tx, police.here)
    listed = {district: chain(police.here, desks, district) for district in police.here.programme.districts}
    for district, names in listed.items():
        own = country.of(district)
        assert (set(names[: len(own)]), len(names) > len(own)) == (set(own), True)
    assert set().union(*listed.values()) == country.desks.keys()
    name = country.town.name()
    visitor = Visitor(police.app)
    await sign_in(visitor, await settled_account(police, name, Role.SUPERVISOR), name)
    printed = await visitor.client.get("/hotline/list.pdf")
    assert printed.status_code == 200
    lines, places = lines_of(printed.content), police.here.entry.facilities
    for district, names in listed.items():
        begins = lines.index(police.here.programme.districts[district].in_("en")) + 1
        written = [f"{n}. {places[id_].name}: {places[id_].duty_number or 'no number known'}" for n, id_ in enumerate(names, 1)]
        assert lines[begins : begins + len(names)] == written, district
