"""Counts what the cubes are made of, out of this agency's own records. What was erased is counted without what it said; whoever has
said no to being counted is in none of it."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlmodel import col

from shared.casework.alarms.commands import LINE_TROUBLES
from shared.casework.alarms.tables import Alarm
from shared.casework.breaches.figures import breaches
from shared.casework.cases.figures import reports
from shared.casework.cases.tables import Case
from shared.casework.circles.figures import furthest_steps, steps
from shared.casework.consents.figures import answers
from shared.casework.figures.domain import (
    ALARMS,
    BREACHES,
    CUBES,
    DIMENSIONS,
    PLACE,
    STEPS,
    UNKNOWN,
    WHOM,
    Categories,
    Period,
    count,
)
from shared.casework.figures.reading import COUNTED, of_counted, rows, said, sealed
from shared.casework.here import Here
from shared.casework.referrals import story
from shared.casework.referrals.figures import issued
from shared.casework.referrals.tables import Referral, WalkIn
from shared.contracts.casework.codes import ENDED, NEEDS_ARRIVAL, AgeBand, OutcomeCode, ProgressCode, ReferralState, Sex
from shared.contracts.casework.lifecycle import Standing
from shared.kit.db import Transaction

HOURS_LIMITS = ((timedelta(hours=72), "72"), (timedelta(hours=120), "120"))
STAGE_OF = {
    ReferralState.ISSUED: "not_seen", ReferralState.ACKNOWLEDGED: "seen", ReferralState.ACCEPTED: "accepted",
    ReferralState.ON_HOLD: "accepted", ReferralState.ARRIVED: "came", ReferralState.IN_SERVICE: "came",
}  # fmt: skip

Thing = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Counted:
    """A cube as it was counted."""

    id: str
    chain: tuple[str, ...]
    categories: Categories
    values: Mapping[str, int]


async def counted(tx: Transaction, here: Here, of: Period) -> dict[str, Counted]:
    """Every cube of a period, by its id, with every number as it is. It is never shown as it stands."""
    first, until = here.begin_of(of.first), here.begin_of(of.until)
    sources = {
        "reports": _reports, "referrals": _referrals, "offers": _offers, "arrivals": _arrivals, "breaches": _breaches,
        "alarms": _alarms,
    }  # fmt: skip
    found = {}
    for cube in CUBES:
        things = [thing async for thing in sources[cube.id](tx, here, first, until)]
        places = {*here.entry.facilities, *(thing[PLACE] for thing in things if PLACE in thing)}
        categories = {d: tuple(sorted(places)) if d == PLACE else DIMENSIONS[d] for d in cube.chain}
        found[cube.id] = Counted(cube.id, cube.chain, categories, count(cube.chain, categories, things))
    return found


async def _reports(tx: Transaction, here: Here, first: datetime, until: datetime) -> AsyncIterator[Thing]:
    """Incidents that were told here, and how far their cases have come by now, as far as is known here."""
    furthest = await furthest_steps(tx, here)
    async for report in reports(tx, first, until):
        yield {
            "step": STEPS[furthest.get(report.case_id, 0)],
            "hours": hours(report.since) if report.since is not None else UNKNOWN,
            "incident": report.incident_type or UNKNOWN, "age": report.needs.get("age_band", AgeBand.UNKNOWN),
            "sex": report.needs.get("sex", Sex.UNKNOWN), "again": "again" if report.is_again else "first", PLACE: report.place,
        }  # fmt: skip


def hours(since: timedelta) -> str:
    """The limit within which something was reported, or came, after it had happened."""
    return next((name for limit, name in HOURS_LIMITS if since <= limit), "later")


def _kind(here: Here, agency: str) -> str:
    kind = here.known_kind(agency)
    return kind.value if kind is not None and kind.value in DIMENSIONS["to_kind"] else UNKNOWN


async def _referrals(tx: Transaction, here: Here, first: datetime, until: datetime) -> AsyncIterator[Thing]:
    """Referrals that this agency issued, and how far each has come, as far as this agency may know it."""
    async for one in issued(tx, first, until):
        desk = here.programme.facilities.get(here.kind_of_place(one.row.desk) or "")
        yield {
            "urgency": one.urgency, "to_kind": _kind(here, one.row.recipient), "stage": _stage(one.standing),
            "from_desk": UNKNOWN if desk is None else "specialist" if desk.is_specialist else "other",
        }  # fmt: skip


def _stage(standing: Standing) -> str:
    if standing.no_feedback or standing.undisclosed:
        return "no_news"
    return STAGE_OF.get(standing.state) or _ended(standing.outcome, is_ended=True)


def _ended(outcome: OutcomeCode | str | None, *, is_ended: bool) -> str:
    if not is_ended:
        return "open"
    return "finished" if outcome in NEEDS_ARRIVAL else "ended_otherwise"


async def _offers(tx: Transaction, here: Here, first: datetime, until: datetime) -> AsyncIterator[Thing]:
    """What she answered when she was asked whether an agency may know."""
    async for one in answers(tx, first, until):
        yield {"to_kind": _kind(here, one.recipient), "offered": one.said}


async def _arrivals(tx: Transaction, here: Here, first: datetime, until: datetime) -> AsyncIterator[Thing]:
    """Those who came: on a request of another agency, or by themselves."""
    query = of_counted(Referral, col(Referral.id), col(Referral.issuer), col(Referral.standing)).where(
        col(Referral.direction) == "in", col(Referral.arrived_at) >= first, col(Referral.arrived_at) < until
    )
    async for row in rows(tx, query, col(Referral.id)):
        standing = story.load(row.standing)
        yield {"way": _kind(here, row.issuer), "ended": _ended(standing.outcome, is_ended=standing.state in ENDED)}
    by_herself = of_counted(WalkIn, col(WalkIn.id), col(WalkIn.ended_at), *sealed(WalkIn, "outcome")).where(
        col(WalkIn.referral_id).is_(None),
        col(WalkIn.after_referral).is_(None),
        col(WalkIn.came_at) >= first,
        col(WalkIn.came_at) < until,
    )
    async for row in rows(tx, by_herself, col(WalkIn.id)):
        yield {"way": "by_herself", "ended": _ended(said(tx, WalkIn, row, "outcome"), is_ended=row.ended_at is not None)}


async def _breaches(tx: Transaction, here: Here, first: datetime, until: datetime) -> AsyncIterator[Thing]:
    """What was done or demanded against the protocol, by its own time; pressure to settle, which is noted as a step, among it."""
    for _step in await steps(tx, here, {ProgressCode.PRESSURE_TO_SETTLE}, first, until):
        yield {"breach": "pressure_to_settle", "by_whom": UNKNOWN}
    for one in await breaches(tx, first, until):
        yield {
            "breach": one.code if one.code in BREACHES else UNKNOWN, "by_whom": one.by_whom if one.by_whom in WHOM else UNKNOWN,
        }  # fmt: skip


APART = LINE_TROUBLES | {"breach", "opened_from_here", "decoy_opened", "protocol_overdue", "indicator_past"}


async def _alarms(tx: Transaction, _here: Here, first: datetime, until: datetime) -> AsyncIterator[Thing]:
    """Alarms that were raised in the span, and whether they are open still."""
    query = (
        select(col(Alarm.id), col(Alarm.kind), col(Alarm.resolved_at), *sealed(Case, "needs"))
        .select_from(Alarm)
        .outerjoin(Case, col(Case.id) == col(Alarm.case_id))
        .where(
            or_(col(Alarm.case_id).is_(None), COUNTED), col(Alarm.kind).not_in(APART), col(Alarm.raised_at) >= first,
            col(Alarm.raised_at) < until,
        )
    )  # fmt: skip
    async for row in rows(tx, query, col(Alarm.id)):
        needs = said(tx, Case, row, "needs") or {}
        yield {
            "alarm": row.kind if row.kind in ALARMS else UNKNOWN, "alarm_state": "open" if row.resolved_at is None else "resolved",
            "age": needs.get("age_band", AgeBand.UNKNOWN),
        }  # fmt: skip
