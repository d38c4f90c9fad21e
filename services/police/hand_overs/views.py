"""Complaints on their way to the prosecutor: how each stands, for a desk, a case and the watcher. Reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, String, and_, cast, exists, or_, select
from sqlmodel import col

from services.police.complaints.domain import State
from services.police.complaints.tables import Complaint, ComplaintStep
from services.police.complaints.views import register_of
from services.police.hand_overs.domain import OPEN, Facts, HandOver, standing
from shared.casework import scope
from shared.casework.cases.tables import Case, Incident
from shared.casework.circles.tables import Progress
from shared.casework.consents.views import is_no, last_answers
from shared.casework.directory.network import Facility
from shared.casework.here import Actor, Here
from shared.casework.pages.frame import Way
from shared.casework.referrals.tables import Referral
from shared.casework.work.views import LIST_MAX
from shared.contracts.casework.codes import AgencyKind, ProgressCode, ReferralState, Role, ServicePackage
from shared.kit.db import Transaction
from shared.kit.errors import Said, Sentence
from shared.kit.i18n import mark as _

LOOKED_BACK = timedelta(days=31)  # what was registered longer ago stands in the register, and on no list of what is due
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
    codes = (ProgressCode.COMPLAINT_REGISTERED, ProgressCode.COMPLAINT_REOPENED)
    lately = (
        exists()
        .where(
            col(ComplaintStep.complaint_id) == col(Complaint.id), col(Progress.position) == col(ComplaintStep.position),
            col(Progress.code).in_(codes), col(Progress.occurred_at) >= now - LOOKED_BACK,
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


async def facts_of(tx: Transaction, here: Here, case: Case, complaint: Complaint, limit: timedelta) -> Facts | None:
    """The clock of a complaint, by its own facts; None where its registration is not known."""
    register = await register_of(tx, here, case)
    shown = next((one for one in register.complaints if one.complaint.id == complaint.id), None)
    if shown is None:
        return None
    first = shown.standing.first.get(ProgressCode.COMPLAINT_REGISTERED)
    again = [step.row.occurred_at for step in shown.steps if step.row.code == ProgressCode.COMPLAINT_REOPENED]
    if first is None:
        return None
    last = await last_answers(tx, case.id)
    offices = {place.partition("/")[0] for place in prosecutors(here)}  # whoever prosecutes nobody is asked about something else
    asked = [last.get(peer) for peer in sorted(offices)]
    handed = (
        select(col(Referral.issued_at))
        .join(Complaint, and_(col(Complaint.id) == complaint.id, of_complaint()))
        .where(col(Referral.case_id) == case.id, asks_to_prosecute())
    )
    times = list((await tx.session.execute(handed.order_by(col(Referral.issued_at)).limit(1))).scalars())
    return Facts(
        max(again, default=first), limit, times[0] if times else None,
        said_no=bool(asked) and all(is_no(answer) for answer in asked), is_withdrawn=shown.standing.state is State.WITHDRAWN,
    )  # fmt: skip


async def due(tx: Transaction, here: Here, by: Actor) -> list[Due]:
    """What the account's desks still have to hand over, the nearest time first."""
    found = await _clocked(tx, here, (await not_handed_over(tx, tx.clock.now(), scope.this_case(by)))[:LIST_MAX])
    return sorted((one for one in found if one.stands in OPEN), key=lambda one: one.facts.due_at)[:LIST_MAX]


async def _clocked(tx: Transaction, here: Here, rows: Sequence[tuple[Complaint, Case]]) -> list[Due]:
    found = []
    for complaint, case in rows:
        limit = limit_of(here, complaint.facility)
        facts = await facts_of(tx, here, case, complaint, limit) if limit is not None else None
        if facts is not None:
            found.append(Due(complaint, case, facts, standing(facts, tx.clock.now())))
    return found


async def of_case(tx: Transaction, here: Here, case: Case) -> list[Due]:
    """Every complaint of a case, with its clock."""
    query = select(Complaint).where(col(Complaint.case_id) == case.id).order_by(col(Complaint.entered_at), col(Complaint.id))
    return await _clocked(tx, here, [(one, case) for one in (await tx.session.execute(query)).scalars()])


async def work_lines(tx: Transaction, here: Here, by: Actor) -> Sequence[tuple[str, Said]]:
    """That complaints are to be handed over."""
    count = len(await due(tx, here, by)) if has_hand_over(here) else 0
    return (
        [("/hand-overs", Sentence(_("Complaints to hand over to the prosecutor: %(count)s."), {"count": count}))] if count else []
    )


async def case_ways(_tx: Transaction, here: Here, _by: Actor, case: Case) -> Sequence[Way]:
    """Where a case is handed over."""
    return [(f"/cases/{case.id}/prosecutor", _("Hand over to the prosecutor"))] if prosecutors(here) else []


def ways_here(here: Here, by: Actor) -> Sequence[Way]:
    """Where the list is, in programmes that have a hand-over."""
    return [("/hand-overs", _("Hand-overs due"))] if by.role is not Role.ADMINISTRATOR and has_hand_over(here) else []
