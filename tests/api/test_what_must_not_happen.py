"""What a programme expects none of: each is entered once, as whoever sees it would, and then the programme's own indicator says
one, a replay's line is not met, and somebody is told. A nought that nothing could fill would prove nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from agencies import World, consent, open_case
from box import BATCH, EC, certified, count, stock
from centre import CENTRE, came, stays
from coast import world_of
from counting import YEAR, lead
from hotline import CALL
from shift import at_work
from signing_in import PIN

from services.simulate.measured import Line, lines_of
from shared.contracts.casework.codes import AgencyKind, Role
from shared.programmes.indicators import Comparison
from shared.programmes.profile import known_profiles, load_programme
from shared.programmes.tallies import Counted

ENTERS = Callable[[World], Awaitable[None]]
WHO = (AgencyKind.POLICE, AgencyKind.HEALTH)


async def line(world: World, indicator: str) -> Line:
    """An indicator as a replay computes and judges it."""
    answers = [await (await lead(agency)).get(f"/counts?year={YEAR}") for agency in world.agencies.values()]
    return next(one for one in lines_of(world["police"].here.programme, Counted(answers)) if one.id == indicator)


async def alarms(world: World) -> set[str]:
    """Kinds of the open alarms of all, once every watcher has looked."""
    found: set[str] = set()
    for agency in world.agencies.values():
        await agency.watcher.tick()
        found |= {one["kind"] for one in (await (await lead(agency)).get("/alarms"))["items"] if not one["resolved_at"]}
    return found


# --- what is entered -------------------------------------------------------------------------------------------------------


async def mediation(world: World) -> None:
    """The family asks a station to settle it."""
    police = next(agency for agency in world.agencies.values() if agency.here.kind is AgencyKind.POLICE)
    desk = await police.sign_in("desk", None, next(iter(police.here.entry.facilities)))
    case_id, _incident = await open_case(desk)
    await desk.post(f"/cases/{case_id}/breaches", {"code": "mediation_attempted", "by_whom": "family"})


async def opened_beyond(world: World) -> None:
    """A case is opened from another station for a life in danger, and a supervisor finds that it was not right."""
    there, elsewhere = "ndola_central_vsu", "vsu_station_3"
    desk = await world["police"].sign_in("desk", Role.OFFICER, there)
    case_id, _incident = await open_case(desk)
    case = await desk.get(f"/cases/{case_id}")
    visitor = await at_work(world, "police", "officer-2", Role.OFFICER, elsewhere)
    day = world["police"].edge.pages.times("en", world.clock.now()).local(world.clock.now()).date().isoformat()
    page = await visitor.open("/look-up")
    page = await visitor.send(page.form("/look-up"), number=case["number"], opened_on=day)
    page = await visitor.send(page.form("/look-up"), ("open", "yes"), own_pin=PIN, why="life_threat")
    assert page.path == f"/cases/{case_id}", page.words
    world.clock.advance(timedelta(days=1))  # she looks at it the day after
    matron = await at_work(world, "police", "inspector", Role.SUPERVISOR, there)
    page = await matron.open("/work")
    wrong = next(form for form in page.forms if form.action.endswith("/review") and form.fields["was_right"] == ["no"])
    await matron.send(wrong)


async def reported_dose(world: World, code: str) -> None:
    desk = await certified(world)
    await desk.post("/dispensing/reports", {"product": EC, "code": code, "batch": BATCH})


async def adverse(world: World) -> None:
    """A dose was not borne well."""
    await reported_dose(world, "allergic_reaction")


async def misuse(world: World) -> None:
    """A dose was sold."""
    await reported_dose(world, "sold")


async def missing(world: World) -> None:
    """Two count the box, and one dose is not there."""
    desk, colleague = await certified(world), await certified(world, "officer-2")
    await stock(desk, 5)
    await count(desk, colleague, {BATCH: 4})


async def overstay(world: World) -> None:
    """She stays longer than five days, and nobody has planned where to afterwards."""
    desk = await world["police"].sign_in("desk", Role.OFFICER, CENTRE)
    await stays(desk, await came(desk))
    world.clock.advance(timedelta(days=5, minutes=1))


async def unrouted(world: World) -> None:
    """A call for which no desk has anybody."""
    taker = await world["police"].sign_in("taker", Role.OFFICER, "hotline_room_1")
    await taker.post("/calls", {**CALL, "district": next(iter(world["police"].here.programme.districts))})


async def fee(world: World) -> None:
    """A place of care asks for money for what is free."""
    desk = await world["police"].sign_in("desk", Role.OFFICER, "freetown_fsu")
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health", "fb")
    body = {"case_id": case_id, "incident_id": incident_id, "to_agency": "health", "to_facility": "freetown_rainbo"}
    sent = await desk.post("/referrals", {**body, "services": ["acute_care"], "urgency": "acute"})
    await world.settle()
    nurse = await world["health"].sign_in("nurse", Role.CLINICIAN, "freetown_rainbo")
    await nurse.post(f"/referrals/{sent['id']}/arrive", {"feedback": True})
    await nurse.post(f"/referrals/{sent['id']}/close", {"outcome_code": "served", "fee_asked": True})


@dataclass(frozen=True, slots=True)
class Case:
    """What is entered, in which programme; which alarms tell of it at once, and which once the programme's indicator is past."""

    profile: str
    indicator: str
    enters: ENTERS
    told: frozenset[str]


CASES = [
    Case("zm-vsu-ec", "mediations", mediation, frozenset({"breach"})),  # every programme's, as the base has it
    Case("zm-vsu-ec", "consent_breaches", opened_beyond, frozenset({"opened_beyond"})),  # every programme's too
    Case("zm-vsu-ec", "adverse", adverse, frozenset({"dose_adverse"})),
    Case("zm-vsu-ec", "misuse", misuse, frozenset({"dose_misused"})),
    Case("zm-vsu-ec", "box_variance", missing, frozenset({"box_variance"})),
    Case("bd-vsc", "overstay_without_plan", overstay, frozenset({"stay_over_limit", "indicator_past"})),
    Case("rw-gender-desk", "calls_unrouted", unrouted, frozenset({"call_at_last_resort"})),
    Case("sl-fsu", "fee_charged", fee, frozenset({"breach", "indicator_past"})),
    Case("latam-wps", "mediation_started", mediation, frozenset({"breach", "indicator_past"})),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.profile}-{case.indicator}")
async def test_what_must_not_happen_is_counted_and_told_when_it_does(case: Case, tmp_path: Path) -> None:
    async with world_of(load_programme(case.profile), WHO, tmp_path) as world:
        before = await line(world, case.indicator)
        assert not before.value  # 0; of a box that nobody has counted there is none
        assert not case.told & await alarms(world)
        await case.enters(world)
        after = await line(world, case.indicator)
        assert (after.value, after.expected, after.met) == (1, 0, False)
        world.clock.advance(timedelta(hours=6))  # indicators are looked at so often
        assert case.told <= await alarms(world)


def test_of_every_nought_that_a_programme_expects_there_is_a_proof() -> None:
    """In every profile of ours; one that stands in the base as it does there is proven once, for all."""
    base, proven = load_programme("base"), {(case.profile, case.indicator) for case in CASES}
    noughts = set()
    for profile in known_profiles():
        programme = load_programme(profile)
        for id_, expected in programme.expect.items():
            is_the_bases = programme.indicators[id_] == base.indicators.get(id_)
            if expected.value == 0 and expected.compared is Comparison.EQUAL and profile != "base":
                noughts.add(("zm-vsu-ec" if is_the_bases else profile, id_))
    assert noughts == proven
