"""Referrals as they are counted: what was issued by whoever issued it, what became of it by whoever it was sent to, so that the two
ends can be added up and her no to feedback hides nothing. A referral counts in the period in which it was issued, by its original
times where it came in on paper."""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlmodel import col

from shared.casework.cases.figures import HOUR, IS_ITS_LINE, told_within
from shared.casework.cases.tables import Case, Incident
from shared.casework.consents.tables import Consent
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.figures.reading import of_counted, rows, said, sealed
from shared.casework.here import Here
from shared.casework.referrals import story
from shared.casework.referrals.domain import Clocks, flags_of
from shared.casework.referrals.pathways import acknowledge_within, ways
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import (
    SEXUAL_VIOLENCE,
    AgencyKind,
    Basis,
    CareClock,
    DeclineReason,
    Flag,
    OutcomeCode,
    ReferralState,
    Urgency,
)
from shared.contracts.casework.lifecycle import Standing
from shared.exchange.tables import Activity
from shared.kit.db import Transaction
from shared.programmes.care import CountedFrom, Pathway
from shared.programmes.indicators import Duration, Measure

SERVED = frozenset({OutcomeCode.SERVED, OutcomeCode.SERVED_PARTLY})  # completion, as domain.md (section 5) has it
# Lost is what is open past its deadline (domain.md, section 5): counted by the issuer until somebody has promised to serve, and
# from then on by whoever has, so that it is counted once.
NOT_PROMISED = frozenset({ReferralState.ISSUED, ReferralState.ACKNOWLEDGED})
BOTH = (  # columns that both ends look at
    col(Referral.id), col(Referral.desk), col(Referral.urgency), col(Referral.standing), col(Referral.is_open),
    col(Referral.issued_at), col(Referral.moved_at), col(Referral.respond_by), col(Referral.delivered_at),
    col(Referral.told_by_phone_at),
)  # fmt: skip
Along = Callable[..., list[Pathway]]  # `ways` of one agency, each asked once
FULL = (ReferralState.DECLINED, DeclineReason.NO_PLACE)
NOT_THERE = frozenset(  # why a place cannot take her that lies with the place
    {
        DeclineReason.NO_STAFF, DeclineReason.NO_PLACE, DeclineReason.NO_SUPPLIES, DeclineReason.SERVICE_NOT_OFFERED,
        DeclineReason.CLOSED_NOW,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Issued:
    """A referral at the end that issued it, as far as that end may know what became of it."""

    row: Any  # its columns
    standing: Standing

    @property
    def urgency(self) -> Urgency:
        """How soon care was asked for."""
        return Urgency(self.row.urgency)


async def issued(tx: Transaction, first: datetime, until: datetime) -> AsyncIterator[Issued]:
    """Referrals that this agency issued in a span."""
    columns = (*BOTH, col(Referral.issuer), col(Referral.recipient), col(Referral.from_facility), col(Referral.to_facility),
               col(Referral.services), col(Referral.acknowledged_at), col(Consent.basis))  # fmt: skip
    query = of_counted(Referral, *columns).outerjoin(Consent, col(Consent.id) == col(Referral.consent_id)).where(
        col(Referral.direction) == "out", col(Referral.issued_at) >= first, col(Referral.issued_at) < until
    )  # fmt: skip
    async for row in rows(tx, query, col(Referral.id)):
        yield Issued(row, story.load(row.standing))


async def counts(tx: Transaction, here: Here, of: Period) -> Counts:
    """Everything that the issuer counts."""
    found = Counts.of(
        Measure.REFERRALS_ISSUED, Measure.REFERRALS_ACKNOWLEDGED, Measure.REFERRALS_ACKNOWLEDGED_IN_TIME,
        Measure.REFERRALS_WITH_FEEDBACK, Measure.REFERRALS_LOST, Measure.REFERRALS_FROM_SPECIALISTS, Measure.REFERRALS_FROM_OTHERS,
        Measure.REFERRALS_FREE, Measure.REPORTS_BY_LAW, Measure.ACUTE_CONSENTED, Duration.ACKNOWLEDGE_TIME,
    )  # fmt: skip
    now, numbers = tx.clock.now(), Counter[tuple[Measure, str]]()
    along = cache(partial(ways, here))  # thousands go the same few ways
    async for one in issued(tx, here.begin_of(of.first), here.begin_of(of.until)):
        numbers.update((measure, one.row.desk) for measure in _measures(here, along, one, now))
        if one.row.acknowledged_at is not None:
            found.add_hours(Duration.ACKNOWLEDGE_TIME, one.row.desk, (one.row.acknowledged_at - one.row.issued_at) / HOUR)
    found.add_all(numbers)
    return found


def _measures(here: Here, along: Along, one: Issued, now: datetime) -> list[Measure]:
    row, standing = one.row, one.standing
    is_seen = row.acknowledged_at is not None
    asked = tuple(row.services)
    found = along(row.issuer, row.from_facility, row.recipient, row.to_facility, asked)
    kind = here.programme.facilities.get(here.kind_of_place(row.desk) or "")
    is_health = here.known_kind(row.recipient) is AgencyKind.HEALTH
    said_of = {
        Measure.REFERRALS_ISSUED: True,
        Measure.REFERRALS_ACKNOWLEDGED: is_seen,
        Measure.REFERRALS_ACKNOWLEDGED_IN_TIME: is_seen
        and row.acknowledged_at - row.issued_at <= acknowledge_within(here, found, asked, row.urgency),
        Measure.REFERRALS_WITH_FEEDBACK: standing.state is ReferralState.CLOSED,
        Measure.REFERRALS_LOST: standing.state in NOT_PROMISED and _is_lapsed(here, row, standing, "out", now),
        Measure.REFERRALS_FROM_SPECIALISTS: kind is not None and kind.is_specialist,
        Measure.REFERRALS_FROM_OTHERS: kind is not None and not kind.is_specialist,
        # From where it lies now, for what was asked, the programme says that nothing is to be paid.
        Measure.REFERRALS_FREE: any(way.fee == 0 for way in along(row.issuer, row.desk, row.recipient, row.to_facility, asked)),
        Measure.REPORTS_BY_LAW: row.basis == Basis.LEGAL_BASIS,
        Measure.ACUTE_CONSENTED: is_health and one.urgency is Urgency.ACUTE and row.basis == Basis.CONSENT,
    }
    return [measure for measure, is_so in said_of.items() if is_so]


def _is_lapsed(here: Here, row: Any, standing: Standing, direction: str, now: datetime) -> bool:
    clocks = Clocks(
        direction, standing.state, Urgency(row.urgency), row.is_open, standing.arrived, standing.no_feedback, row.issued_at,
        row.moved_at, row.delivered_at, row.told_by_phone_at, respond_by=row.respond_by,
    )  # fmt: skip
    return Flag.LAPSED in flags_of(clocks, here.programme.limits, now)


async def to_health(tx: Transaction, here: Here, of: Period) -> Counts:
    """Cases of sexual violence that were reported in the period, with one referral to health or more for what was reported, or for
    the case as a whole: the numerator of the rate whose denominator `cases.figures` counts."""
    found = Counts.of(Measure.CASES_REFERRED_TO_HEALTH)
    recipients = [id_ for id_, entry in here.network.agencies.items() if entry.kind is AgencyKind.HEALTH]
    is_to_health = (col(Referral.direction) == "out", col(Referral.recipient).in_(recipients))
    asked = select(col(Referral.incident_id)).where(*is_to_health)
    of_the_case = select(col(Referral.case_id)).where(
        *is_to_health, col(Referral.incident_id).is_(None), col(Referral.issued_at) >= here.begin_of(of.first)
    )  # one of before the period was for nothing that was reported in it
    columns = (col(Incident.id), col(Incident.case_id), col(Case.facility), *sealed(Incident, "incident_type"))
    query = (
        of_counted(Incident, *columns)
        .join(Activity, IS_ITS_LINE)
        .where(
            told_within(here.begin_of(of.first), here.begin_of(of.until)),
            ~col(Case.is_received),
            or_(col(Incident.id).in_(asked), col(Incident.case_id).in_(of_the_case)),
        )
    )
    cases: dict[UUID, str] = {}
    async for row in rows(tx, query, col(Incident.id)):
        if said(tx, Incident, row, "incident_type") in SEXUAL_VIOLENCE:
            cases[row.case_id] = row.facility
    for place in cases.values():
        found.add(Measure.CASES_REFERRED_TO_HEALTH, place)
    return found


# --- at the end that it was sent to ---------------------------------------------------------------------------------------


async def came(tx: Transaction, here: Here, of: Period) -> Counts:
    """On how many of what was issued in the period somebody promised to serve, and on how many she came: of dates alone, so the
    database counts, and a picture of a year's months costs little."""
    whens = {Measure.REFERRALS_ACCEPTED: col(Referral.accepted_at), Measure.REFERRALS_ARRIVED: col(Referral.arrived_at)}
    found = Counts.of(*whens)
    query = _received(here, of, col(Referral.desk), *map(func.count, whens.values())).group_by(col(Referral.desk))
    for place, *numbers in (await tx.session.execute(query)).tuples():
        for measure, number in zip(whens, numbers, strict=True):
            found.add(measure, place, number)
    return found


async def received(tx: Transaction, here: Here, of: Period) -> Counts:
    """What became of what was issued in the period, in the recipient's own words."""
    found = Counts.of(
        Measure.REFERRALS_SERVED, Measure.REFERRALS_SAID_NO_THERE, Measure.REFERRALS_NOT_AVAILABLE, Measure.REFERRALS_NOT_REACHED,
        Measure.REFERRALS_LOST, Measure.REFUSED_FOR_LACK_OF_PLACE,
    )  # fmt: skip
    now, numbers = tx.clock.now(), Counter[tuple[Measure, str]]()
    async for row in rows(tx, _received(here, of, *BOTH), col(Referral.id)):
        standing = story.load(row.standing)
        ended = standing.outcome if standing.state is ReferralState.CLOSED else None
        declined = standing.reason if standing.state is ReferralState.DECLINED else None
        said_of = {
            Measure.REFERRALS_SERVED: ended in SERVED,
            Measure.REFERRALS_SAID_NO_THERE: ended == OutcomeCode.SHE_DECLINED,
            Measure.REFERRALS_NOT_AVAILABLE: ended == OutcomeCode.NOT_AVAILABLE or declined in NOT_THERE,
            Measure.REFERRALS_NOT_REACHED: ended == OutcomeCode.NOT_REACHED_SAFELY,
            Measure.REFERRALS_LOST: standing.state not in NOT_PROMISED and _is_lapsed(here, row, standing, "in", now),
            Measure.REFUSED_FOR_LACK_OF_PLACE: (standing.state, standing.reason) == FULL,
        }  # fmt: skip
        numbers.update((measure, row.desk) for measure, is_so in said_of.items() if is_so)
    found.add_all(numbers)
    return found


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody who came on a request, and where; how long after it had happened, where that is known."""

    id: UUID
    desk: str
    is_in_time: bool
    since: timedelta | None


async def into_care(tx: Transaction, here: Here, of: Period) -> Counts:
    """At a place of health: acute requests, agreed to, on which somebody came before the window of PEP had ended, and hours from
    what happened until she came."""
    found = Counts.of(Measure.ARRIVALS_WITHIN_PEP, Duration.ARRIVAL_DELAY)
    async for one in arrivals(tx, here, of):
        found.add(Measure.ARRIVALS_WITHIN_PEP, one.desk, int(one.is_in_time))
        if one.since is not None:
            found.add_hours(Duration.ARRIVAL_DELAY, one.desk, one.since / HOUR)
    return found


async def arrivals(tx: Transaction, here: Here, of: Period) -> AsyncIterator[Arrival]:
    """Those who came on what was issued in the period. Whether in time is known from the deadlines that came with the request;
    where these were destroyed with her consent, nothing is known any more, and she is not among those who came in time."""
    columns = (*BOTH, col(Referral.arrived_at), *sealed(Referral, "said"))
    arrived = _received(here, of, *columns).where(col(Referral.arrived_at).is_not(None))
    async for row in rows(tx, arrived, col(Referral.id)):
        content = said(tx, Referral, row, "said") or {}
        told = content.get("windows") or ()
        ends = {one["care"]: datetime.fromisoformat(one["until"]) for one in told}
        until = ends.get(CareClock.PEP)
        # As at the issuer's end: of requests that she agreed to, or the share could be more than all.
        is_agreed = content.get("basis", Basis.CONSENT) == Basis.CONSENT
        is_in_time = is_agreed and row.urgency == Urgency.ACUTE and until is not None and row.arrived_at <= until
        happened = _happened(here, ends)
        yield Arrival(row.id, row.desk, is_in_time, row.arrived_at - happened if happened is not None else None)


def _happened(here: Here, ends: dict[str, datetime]) -> datetime | None:
    """When it happened, worked out of a deadline that counts from the earliest moment; None where there is none."""
    for care, window in here.programme.windows.items():
        if care in ends and window.length is not None and window.counted_from is CountedFrom.EARLIEST:
            return ends[care] - window.length
    return None


def _received(here: Here, of: Period, *columns: Any) -> Select[Any]:
    first, until = here.begin_of(of.first), here.begin_of(of.until)
    return of_counted(Referral, *columns).where(
        col(Referral.direction) == "in", col(Referral.issued_at) >= first, col(Referral.issued_at) < until
    )
