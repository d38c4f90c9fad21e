"""What a programme does not have done is refused by the feature that would do it, with one sentence; the attempt stands as an alarm
although nothing else does. A rule that only warns lets the act go on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import centre
import coast
import hotline
import pytest
from agencies import Desk, Refused, World, consent, open_case, refer
from box import STATION, certified

from shared.contracts.casework.codes import Role
from shared.programmes.terms import Act
from shared.programmes.vocabulary import ActNeeds, BlockedAct, CertificateRequired, Rule

BLOCKED = "The programme does not have this done. Nothing was written down."
CAN_WAIT: dict[str, Any] = {"services": ["follow_up_care"], "urgency": "urgent"}
NEEDED = "The programme asks for something first: assent. Nothing was written down."


def with_rule(world: World, agency: str, **rule: Any) -> None:
    """The agency's programme has one more rule from now on."""
    kinds: dict[str, type[Rule]] = {
        "blocked_act": BlockedAct, "act_needs": ActNeeds, "certificate_required": CertificateRequired,
    }  # fmt: skip
    here = world[agency].edge.here
    rules = {**here.programme.rules, "one_more": kinds[rule["rule"]].model_validate({"source": "D", **rule})}
    world[agency].edge.here = replace(here, programme=here.programme.model_copy(update={"rules": rules}))


async def refused(work: Any) -> str:
    with pytest.raises(Refused) as error:
        await work
    assert error.value.status == 409
    return str(error.value.problem["detail"])


async def alarms(desk: Desk) -> list[str]:
    return [one["kind"] for one in (await desk.get("/alarms"))["items"]]


@pytest.mark.parametrize("act", [Act.REGISTER_COMPLAINT, Act.TAKE_STATEMENT, Act.REFER, Act.CLOSE])
async def test_a_blocked_act_is_refused_where_it_is_done_and_a_post_is_told(world: World, act: Act) -> None:
    supervisor = await world["police"].sign_in("inspector", Role.SUPERVISOR, STATION)
    desk = await world["police"].sign_in("desk", Role.OFFICER, STATION)
    case, incident = await open_case(desk)
    for peer in ("health", "social_welfare"):
        await consent(desk, case, peer)
    at, who = "police", desk
    referral: dict[str, Any] = {}
    if act is Act.CLOSE:
        referral = await refer(desk, case, incident, "health")
        await world.settle()
        at, who = "health", await world["health"].sign_in("nurse", Role.CLINICIAN, "ndola_clinic")
        supervisor = await world["health"].sign_in("in-charge", Role.SUPERVISOR, "ndola_clinic")
        await who.post(f"/referrals/{referral['id']}/arrive")
    with_rule(world, at, rule="blocked_act", act=act)
    doing = {
        Act.REGISTER_COMPLAINT: lambda: who.post(f"/cases/{case}/complaints", {"incident_id": incident}),
        Act.TAKE_STATEMENT: lambda: who.post(f"/cases/{case}/progress", {"code": "statement_taken"}),
        Act.REFER: lambda: refer(who, case, incident, "health", **CAN_WAIT),
        Act.CLOSE: lambda: who.post(f"/referrals/{referral['id']}/close", {"outcome_code": "served"}),
    }
    assert await refused(doing[act]()) == BLOCKED
    assert "breach" in await alarms(supervisor)


async def test_a_file_a_stay_and_a_call_back_are_refused_where_the_programme_has_none_of_it(world: World, tmp_path: Path) -> None:
    (tmp_path / "centre").mkdir()
    async with coast.coast_world(tmp_path) as of_justice:
        desk = await coast.at(of_justice, "police", coast.STATION)
        case, incident, _complaint = await coast.complaint(desk)
        with_rule(of_justice, "police", rule="blocked_act", act="hand_over_to_prosecutor")
        assert await refused(coast.ask(desk, case, incident, f"justice/{coast.OFFICE}", "prosecution")) == BLOCKED
    async with centre.centre_world(tmp_path / "centre") as of_the_centre:
        desk = await centre.officer(of_the_centre)
        case = await centre.came(desk)
        with_rule(of_the_centre, "police", rule="blocked_act", act="admit_to_stay")
        assert await refused(centre.stays(desk, case)) == BLOCKED
        assert (await desk.get(f"/cases/{case}/stays"))["items"] == []
    police = hotline.with_hotline(world)
    taker = await hotline.room(police)
    call = await taker.post("/calls", {"channel": "sms", "what": "cut", "may_call_back": True})
    with_rule(world, "police", rule="blocked_act", act="call_back")
    assert await refused(taker.post(f"/calls/{call['id']}/called-back")) == BLOCKED
    assert (await taker.get(f"/calls/{call['id']}"))["called_back_at"] is None


async def test_what_must_be_there_first_is_named_and_what_may_follow_stops_nobody(world: World) -> None:
    desk = await world["police"].sign_in("desk", Role.OFFICER, STATION)
    case, incident = await open_case(desk)
    await consent(desk, case, "health")
    needs: dict[str, Any] = {"rule": "act_needs", "act": "refer", "facts": ["assent"]}
    with_rule(world, "police", **needs)
    assert await refused(refer(desk, case, incident, "health", **CAN_WAIT)) == NEEDED
    with_rule(world, "police", **needs, may_follow=True)
    await refer(desk, case, incident, "health", **CAN_WAIT)


@pytest.mark.parametrize(
    "rule",
    [
        {"rule": "act_needs", "facts": ["assent"]}, {"rule": "blocked_act"},
        {"rule": "certificate_required", "certificate": "ec_provider"},
    ],
    ids=lambda rule: rule["rule"],
)  # fmt: skip
async def test_no_rule_keeps_anybody_from_care_that_cannot_wait(world: World, rule: dict[str, Any]) -> None:
    desk = await world["police"].sign_in("desk", Role.OFFICER, STATION)
    case, incident = await open_case(desk)
    await consent(desk, case, "health")
    with_rule(world, "police", **rule, act="refer")
    sent = await refer(desk, case, incident, "health", services=["acute_care", "examination_and_report"])
    assert (sent["urgency"], sent["status"]) == ("acute", "issued")


@pytest.mark.parametrize("act", [Act.TAKE_STATEMENT, Act.REFER])
async def test_what_asks_for_a_certificate_is_done_by_whoever_holds_it(world: World, act: Act) -> None:
    holder, other = await certified(world), await world["police"].sign_in("other", Role.OFFICER, STATION)
    case, incident = await open_case(holder)
    await consent(holder, case, "health")
    await refer(holder, case, incident, "health")
    await world.settle()
    rule = {"rule": "certificate_required", "act": act, "certificate": "ec_provider"}
    with_rule(world, "police", **rule)
    with_rule(world, "health", **rule)

    async def do(who: Desk) -> Any:
        if act is Act.TAKE_STATEMENT:
            return await who.post(f"/cases/{case}/progress", {"code": "statement_taken"})
        return await refer(who, case, None, "health", **CAN_WAIT)

    assert (await refused(do(other))).startswith("Only somebody with this certificate does that: ")
    await do(holder)
    nurse = await world["health"].sign_in("nurse", Role.CLINICIAN, "ndola_clinic")  # who keeps none is not asked
    (there,) = (await nurse.get("/cases"))["items"]
    await consent(nurse, there["id"], "social_welfare")
    await refer(nurse, there["id"], None, "social_welfare", services=["psychosocial"], urgency="urgent")
