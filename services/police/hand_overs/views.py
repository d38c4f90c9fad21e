"""Complaints on their way to the prosecutor: how each stands, for a desk, a case and the watcher. Reads only."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, String, and_, cast, exists, func, or_, select
from sqlmodel import col

from services.police.complaints.domain import MILESTONES, Fact, State, belongs_to
from services.police.complaints.domain import standing as state_of
from services.police.complaints.tables import Complaint, ComplaintStep
from services.police.hand_overs.domain import OPEN, Facts, HandOver, counted_from, standing
from shared.casework import scope
from shared.casework.cases.tables import Case, Incident
from shared.casework.circles.tables import Progress
from shared.casework.consents.views import noes_of
from shared.casework.directory.network import Facility
from shared.casework.here import Actor, Here
from shared.casework.pages.frame import Way
from shared.casework.referrals.tables import Referral
from shared.casework.work.views import LIST_MAX
from shared.contracts.casework.codes import AgencyKind, ProgressCode, ReferralState, Role, ServicePackage
from shared.kit.bulk import among
from shared.kit.db import Transaction
from shared.kit.errors import Said, Sentence
from shared.kit.i18n import mark as _

LOOKED_BACK = timedelta(days=31)  # what was registered longer ago stands in the register, and on no list of what is due
BEGINS = frozenset({ProgressCode.COMPLAINT_REGISTERED, ProgressCode.COMPLAINT_REOPENED})  # the clock
NOT_STANDING = (ReferralState.DRAFTED, ReferralState.DECLINED, ReferralState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Due:
    """One complaint with its clock."""

    complaint: Complaint
    case: Case
    facts: Facts
    stands: HandOver


def limit_of(here: Here, facility: str) -> timedelta | None:
    """In what time a place hands over, as the pathway of the programme says it (`respond_h`); None where it has none."""
    kind = here.kind_of_place(facility)
    hours = [
        way.respond_h for way in here.programme.pathways.values()
        if kind in way.from_ and ServicePackage.PROSECUTION in way.packages and way.respond_h is not None
    ]  # fmt: skip
    return timedelta(hours=min(hours)) if hours else None


def prosecutors(here: Here) -> Mapping[str, Facility]:
    """The places to which a complaint may be handed over, by agency/facility."""
    return {
        f"{peer}/{id_}": place
        for peer in here.peers if here.kind_of(peer) is AgencyKind.JUSTICE
        for id_, place in here.network.agencies[peer].facilities.items() if ServicePackage.PROSECUTION in place.services
    }  # fmt: skip


def has_hand_over(here: Here) -> bool:
    """Whether complaints are handed over here at all."""
    return bool(prosecutors(here)) and any(limit_of(here, place) is not None for place in here.entry.facilities)


def asks_to_prosecute() -> ColumnElement[bool]:
    """In a query for referrals: those that hand a complaint over and stand."""
    return and_(
        col(Referral.direction) == "out", col(Referral.state).not_in(NOT_STANDING),
        cast(col(Referral.services), String).contains(f'"{ServicePackage.PROSECUTION}"', autoescape=True),
    )  # fmt: skip


def of_complaint() -> ColumnElement[bool]:
    """In a query for complaints and referrals: that a request is about a complaint. One that names no incident, or a complaint of
    the whole case, is about all of it; not about what happened again after it was sent, which is handed over anew."""
    # Ids are in the order in which they were given (UUIDv7), and no sheet that is entered late changes it.
    own = col(Incident.id) == col(Complaint.incident_id)
    is_later = exists().where(own, col(Incident.id) > col(Referral.id)).correlate_except(Incident)
    return or_(
        col(Referral.incident_id) == col(Complaint.incident_id), and_(col(Referral.incident_id).is_(None), ~is_later),
        col(Complaint.incident_id).is_(None),
    )  # fmt: skip


async def not_handed_over(
    tx: Transaction, now: datetime, *conditions: ColumnElement[bool], counted_before: datetime | None = None
) -> list[tuple[Complaint, Case]]:  # fmt: skip
    """Complaints that were registered, or went on, lately, and of which no request to prosecute stands; oldest first. With
    `counted_before` only those whose clock has run since then."""
    handed = exists().where(col(Referral.case_id) == col(Complaint.case_id), asks_to_prosecute(), of_complaint())
    lately = (
        exists()
        .where(
            col(ComplaintStep.complaint_id) == col(Complaint.id), col(Progress.position) == col(ComplaintStep.position),
            col(Progress.code).in_(BEGINS), col(Progress.occurred_at) >= now - LOOKED_BACK,
            col(Progress.occurred_at) <= (counted_before or now),
        )
        .correlate(Complaint)
    )  # fmt: skip
    query = (
        select(Complaint, Case)
        .join(Case, col(Case.id) == col(Complaint.case_id))
        .where(~handed, lately, *conditions)
        .order_by(col(Complaint.entered_at), col(Complaint.id))
    )
    return list((await tx.session.execute(query)).tuples())


class Handed(Protocol):
    """What is asked of a complaint whose clock is looked at: a complaint, or these columns of one."""

    id: UUID
    case_id: UUID
    facility: str


async def clocks_of(tx: Transaction, here: Here, complaints: Sequence[Handed]) -> dict[UUID, Facts]:
    """The clocks of complaints by their own facts, without those whose place hands nothing over and those whose registration is not
    known. A few queries, for however many."""
    limits = {one.id: limit for one in complaints if (limit := limit_of(here, one.facility)) is not None}
    if not limits:
        return {}
    cases = {one.case_id for one in complaints if one.id in limits}
    offices = {place.partition("/")[0] for place in prosecutors(here)}  # whoever prosecutes nobody is asked about something else
    noes, handed, facts = await noes_of(tx, cases, offices), await _handed_at(tx, cases), await _facts(tx, here, cases)
    found = {}
    for one in complaints:
        own = facts.get(one.id, [])
        begun = [fact.occurred_at for fact in own if fact.code in BEGINS]
        if one.id in limits and any(fact.code is ProgressCode.COMPLAINT_REGISTERED for fact in own):
            found[one.id] = Facts(
                counted_from(begun, handed.get(one.id)), limits[one.id], handed.get(one.id),
                said_no=bool(offices) and offices <= noes[one.case_id], is_withdrawn=state_of(own).state is State.WITHDRAWN,
            )  # fmt: skip
    return found


async def _facts(tx: Transaction, here: Here, cases: Collection[UUID]) -> dict[UUID, list[Fact]]:
    """This agency's milestones by complaint."""
    of_cases: dict[UUID, list[UUID]] = {}
    every = select(col(Complaint.case_id), col(Complaint.id)).where(among(tx, col(Complaint.case_id), cases))
    for case_id, complaint_id in (await tx.session.execute(every)).tuples():
        of_cases.setdefault(case_id, []).append(complaint_id)
    steps = (
        select(col(Progress.case_id), col(ComplaintStep.complaint_id), col(Progress.code), col(Progress.occurred_at))
        .outerjoin(ComplaintStep, col(ComplaintStep.position) == col(Progress.position))
        .where(among(tx, col(Progress.case_id), cases), col(Progress.agency) == here.agency, col(Progress.code).in_(MILESTONES))
    )
    found: dict[UUID, list[Fact]] = {}
    for case_id, named, code, occurred_at in (await tx.session.execute(steps)).all():
        whose = belongs_to(named, of_cases.get(case_id, []))
        if whose is not None:
            found.setdefault(whose, []).append(Fact(ProgressCode(code), occurred_at))
    return found


async def _handed_at(tx: Transaction, cases: Collection[UUID]) -> dict[UUID, datetime]:
    """When the first request to prosecute that stands was sent, by complaint."""
    query = (
        select(col(Complaint.id), func.min(col(Referral.issued_at)))
        .join(Referral, and_(col(Referral.case_id) == col(Complaint.case_id), asks_to_prosecute(), of_complaint()))
        .where(among(tx, col(Complaint.case_id), cases))
        .group_by(col(Complaint.id))
    )
    return dict((await tx.session.execute(query)).tuples().all())


async def due(tx: Transaction, here: Here, by: Actor) -> list[Due]:
    """What the account's desks still have to hand over, the nearest time first."""
    return (await _waiting(tx, here, by))[:LIST_MAX]


async def _waiting(tx: Transaction, here: Here, by: Actor) -> list[Due]:
    found = await _clocked(tx, here, await not_handed_over(tx, tx.clock.now(), scope.this_case(by)))
    return sorted((one for one in found if one.stands in OPEN), key=lambda one: one.facts.due_at)


async def _clocked(tx: Transaction, here: Here, rows: Sequence[tuple[Complaint, Case]]) -> list[Due]:
    clocks, now = await clocks_of(tx, here, [complaint for complaint, _case in rows]), tx.clock.now()
    return [
        Due(complaint, case, facts, standing(facts, now))
        for complaint, case in rows if (facts := clocks.get(complaint.id)) is not None
    ]  # fmt: skip


async def of_case(tx: Transaction, here: Here, case: Case) -> list[Due]:
    """Every complaint of a case, with its clock."""
    query = select(Complaint).where(col(Complaint.case_id) == case.id).order_by(col(Complaint.entered_at), col(Complaint.id))
    return await _clocked(tx, here, [(one, case) for one in (await tx.session.execute(query)).scalars()])


async def work_lines(tx: Transaction, here: Here, by: Actor) -> Sequence[tuple[str, Said]]:
    """That complaints are to be handed over."""
    count = len(await _waiting(tx, here, by)) if has_hand_over(here) else 0
    return (
        [("/hand-overs", Sentence(_("Complaints to hand over to the prosecutor: %(count)s."), {"count": count}))] if count else []
    )


async def case_ways(_tx: Transaction, here: Here, _by: Actor, case: Case) -> Sequence[Way]:
    """Where a case is handed over."""
    return [(f"/cases/{case.id}/prosecutor", _("Hand over to the prosecutor"))] if prosecutors(here) else []


def ways_here(here: Here, by: Actor) -> Sequence[Way]:
    """Where the list is, in programmes that have a hand-over."""
    return [("/hand-overs", _("Hand-overs due"))] if by.role is not Role.ADMINISTRATOR and has_hand_over(here) else []
