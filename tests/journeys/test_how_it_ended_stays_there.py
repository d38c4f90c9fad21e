"""How care ended stays in the clinic: on the wire and on every page the police hear came, finished, another visit, cannot take."""

import json
import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from agencies import Desk, World, consent, open_case, refer
from keys import seal_of
from signing_in import settled_account, sign_in
from sqlalchemy import inspect, text
from visitor import Visitor

from shared.casework.pages import words
from shared.casework.referrals import story
from shared.contracts.casework import events
from shared.contracts.casework.codes import NEEDS_ARRIVAL, OutcomeCode, Role

O = OutcomeCode  # noqa: E741
COARSE = {"served", "served_partly", "not_available", "not_reached_safely", "moved_away"}
FINE = {str(code) for code in OutcomeCode} - COARSE
FINISHED, AGAIN, CANNOT = "Finished", "Finished; another visit is needed", "Could not take her"
SAID: dict[OutcomeCode, str] = {
    O.SERVED: FINISHED, O.SERVED_PARTLY: AGAIN, O.SHE_DECLINED: FINISHED, O.NOT_AVAILABLE: CANNOT, O.ALREADY_RECEIVED: FINISHED,
    O.NOT_REACHED_SAFELY: "Could not be reached safely", O.MOVED_AWAY: "Moved away", O.REFERRED_ON: FINISHED, O.ADMITTED: FINISHED,
    O.DIED: FINISHED, O.NOT_ELIGIBLE: CANNOT, O.DUPLICATE: FINISHED,
}  # fmt: skip
FINE_WORDS = {words.OUTCOMES[code] for code in OutcomeCode} - {words.OUTCOMES["not_reached_safely"], words.OUTCOMES["moved_away"]}


def carried_by(world: World, sender: str) -> list[bytes]:
    """Everything that an agency puts on its lines from now on, as its recipients open it."""
    kept: list[bytes] = []
    agency = world[sender]

    async def send(outbound: Any) -> None:
        kept.extend(seal_of(one.recipient).open(one.envelope, sender).raw for one in outbound)
        agency.line += outbound

    agency.relay._send = send
    return kept


async def police_with(world: World) -> tuple[Visitor, Desk, Desk]:
    visitor = Visitor(world["police"].app)
    await sign_in(visitor, await settled_account(world["police"], "officer-1", Role.OFFICER), "officer-1")
    return visitor, await world["police"].sign_in("desk"), await world["health"].sign_in("nurse")


async def sent_to_the_clinic(world: World, desk: Desk) -> tuple[str, str]:
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health", "fb", "needs")
    issued = await refer(desk, case_id, incident_id, "health")
    await world.settle()
    return case_id, issued["id"]


async def close(nurse: Desk, referral: str, outcome: OutcomeCode, *, late: bool, next_visit: str | None = None) -> None:
    move = "arrive" if outcome not in {O.MOVED_AWAY, O.NOT_REACHED_SAFELY, O.DUPLICATE} else "accept"
    assert move == "arrive" or outcome not in NEEDS_ARRIVAL
    yes = {} if late else {"feedback": True}
    await nurse.post(f"/referrals/{referral}/{move}", yes)
    if next_visit:
        case_id = (await nurse.get(f"/referrals/{referral}"))["case_id"]
        await nurse.post(f"/cases/{case_id}/progress", {"code": "next_clinic_date", "on_date": next_visit})
    await nurse.post(f"/referrals/{referral}/close", {"outcome_code": outcome, **yes})


async def pages_of(visitor: Visitor, case_id: str, referral: str) -> str:
    """Everything that the police can open about it, as words and as markup."""
    shown = []
    for path in (f"/referrals/{referral}", f"/cases/{case_id}", "/work", "/hand-over", f"/cases/{case_id}/refer"):
        page = await visitor.open(path)
        assert page.status == 200, (path, page.words)
        shown.append(page.text)
    return " ".join(shown)


async def everything_held(world: World, agency: str) -> str:
    async with world[agency].database.engine.connect() as connection:

        def read(sync: Any) -> str:
            tables = inspect(sync).get_table_names()
            return "".join(repr([tuple(map(str, row)) for row in sync.execute(text(f"SELECT * FROM {t}"))]) for t in tables)

        return await connection.run_sync(read)


def outcomes_on(wire: list[bytes]) -> set[str]:
    return set(re.findall(r"outcome_code\W+([a-z_]+)", b" ".join(wire).decode(errors="replace")))


@pytest.mark.parametrize(
    "late", [pytest.param(False, id="she agreed before"), pytest.param(True, id="she agrees late", marks=pytest.mark.long)]
)
async def test_every_outcome_crosses_in_coarse_words_and_stays_exact_at_the_clinic(world: World, late: bool) -> None:
    visitor, desk, nurse = await police_with(world)
    wire = carried_by(world, "health")
    for outcome, said in SAID.items():
        case_id, referral = await sent_to_the_clinic(world, desk)
        await close(nurse, referral, outcome, late=late)
        if late:
            await nurse.post(f"/referrals/{referral}/arrive", {"feedback": True})  # she is back at the door, and says yes
        await world.settle()
        seen = await desk.get(f"/referrals/{referral}")
        assert (seen["status"], seen["outcome_code"] in COARSE) == ("closed", True), outcome
        page = (await visitor.open(f"/referrals/{referral}")).words
        assert f"Closed: {said} R-" in page, (outcome, page)
        assert ("Another place is needed" in page) == (said == CANNOT)
        shown = await pages_of(visitor, case_id, referral)
        assert not [word for word in FINE_WORDS if word in shown], outcome
        own = await nurse.get(f"/referrals/{referral}")
        assert own["outcome_code"] == outcome
    assert outcomes_on(wire) == COARSE
    carried = b" ".join(wire).decode(errors="replace")
    assert not [code for code in FINE if re.search(rf"\b{code}\b", carried)]
    held = await everything_held(world, "police")
    assert not [code for code in FINE - {"duplicate"} if re.search(rf"\b{code}\b", held)]  # the desk's own word for cancelling


async def test_a_next_visit_makes_finished_into_another_visit_and_its_date_does_not_cross(world: World) -> None:
    visitor, desk, nurse = await police_with(world)
    wire = carried_by(world, "health")
    day = (world.clock.now() + timedelta(days=14)).date().isoformat()
    for outcome, said in ((O.SERVED, AGAIN), (O.ADMITTED, AGAIN), (O.NOT_AVAILABLE, CANNOT), (O.MOVED_AWAY, "Moved away")):
        _, referral = await sent_to_the_clinic(world, desk)
        await close(nurse, referral, outcome, late=False, next_visit=day)
        await world.settle()
        page = (await visitor.open(f"/referrals/{referral}")).words
        assert f"Closed: {said} R-" in page, (outcome, page)
        assert (await nurse.get(f"/referrals/{referral}"))["outcome_code"] == outcome
    assert day.encode() not in b" ".join(wire)


async def test_a_visit_that_is_today_or_over_needs_no_other(world: World) -> None:
    visitor, desk, nurse = await police_with(world)
    _, referral = await sent_to_the_clinic(world, desk)
    await close(nurse, referral, O.SERVED, late=False, next_visit=world.clock.now().date().isoformat())
    await world.settle()
    assert f"Closed: {FINISHED} R-" in (await visitor.open(f"/referrals/{referral}")).words


async def test_why_it_waits_and_why_another_service_is_right_stay_at_the_clinic(world: World) -> None:
    _, desk, nurse = await police_with(world)
    wire = carried_by(world, "health")
    case_id, incident_id = await open_case(desk)
    await consent(desk, case_id, "health", "fb", "needs")
    referral = (await refer(desk, case_id, incident_id, "health", urgency="routine"))["id"]
    await world.settle()
    await nurse.post(f"/referrals/{referral}/arrive", {"feedback": True})
    await nurse.post(f"/referrals/{referral}/hold", {"reason_code": "in_hospital"})
    await nurse.post(f"/referrals/{referral}/decline", {"reason_code": "not_eligible"})
    await world.settle()
    seen = await desk.get(f"/referrals/{referral}")
    assert (seen["status"], seen["reason_code"]) == ("declined", "service_not_offered")
    carried = b" ".join(wire)
    assert b"on_hold" in carried
    assert b"in_hospital" not in carried
    assert b"not_eligible" not in carried


async def test_a_refusal_to_cancel_names_the_end_in_coarse_words(world: World) -> None:
    _, desk, nurse = await police_with(world)
    _, referral = await sent_to_the_clinic(world, desk)
    wire = carried_by(world, "health")
    await close(nurse, referral, O.DIED, late=False)
    await world["health"].flush()
    await desk.post(f"/referrals/{referral}/cancel", {"reason_code": "she_changed_her_mind"})
    await world.settle()
    assert "transition_refused" in b" ".join(wire).decode(errors="replace")
    assert outcomes_on(wire) == {"served"}
    assert (await desk.get(f"/referrals/{referral}"))["outcome_code"] == "served"


async def test_a_peer_that_says_more_is_kept_in_coarse_words_only(world: World) -> None:
    """A clinic with other software says how it ended: the desk keeps that it ended."""
    _, desk, nurse = await police_with(world)
    _, referral = await sent_to_the_clinic(world, desk)
    await nurse.post(f"/referrals/{referral}/arrive", {"feedback": True})
    clinic = world["health"]
    async with clinic.database.write() as tx:
        received = await story.lock(tx, UUID(referral))
        assert received is not None
        await story.say(tx, clinic.here, received, events.Closed(outcome_code=O.ADMITTED), tx.clock.now())
    await clinic.flush()
    assert any(
        b"admitted" in seal_of("police").open(one.envelope, "health").raw for one in clinic.line if one.recipient == "police"
    )
    await world.settle()
    assert (await desk.get(f"/referrals/{referral}"))["outcome_code"] == "served"
    timeline = json.dumps(await desk.get(f"/cases/{(await desk.get(f'/referrals/{referral}'))['case_id']}/timeline?limit=200"))
    assert "admitted" not in timeline
