"""Who waits to be seen at an account's desks, and what waits came to: counted from the records without opening a case."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from services.police.dispensing.tables import Dose
from services.police.fast_track.domain import QUEUE_MAX, SEEN_NOW, Minutes, has_fast_track, is_identified, minutes_of
from shared.casework import scope
from shared.casework.accounts.tables import CaseRead
from shared.casework.cases.tables import Case, Incident
from shared.casework.cases.views import note_listed
from shared.casework.circles.tables import Progress
from shared.casework.consents.tables import Consent, Refusal
from shared.casework.figures.reading import rows
from shared.casework.here import Actor, Here
from shared.casework.paper.tables import Sheet
from shared.casework.referrals.tables import DraftedReferral, Referral
from shared.contracts.casework.codes import Role
from shared.kit.db import Transaction
from shared.kit.errors import Said, Sentence
from shared.kit.i18n import mark as _
from shared.kit.sealed import as_it_lies, is_shut, sealed_columns, shut_shown

LIST_MAX = 20  # who may stand at one door at once; what is beyond stands among what was opened
ACTS = 7  # kinds of things that somebody may have done with her
TOLD = ("incident_type", "contexts", "earliest_at", "latest_at")  # what of an incident the rule may look at


@dataclass(frozen=True, slots=True)
class Waits:
    """Somebody whom the rule identifies and with whom nothing was done yet."""

    case: Case
    incident: Incident
    since: datetime


def _acts(here: Here, contact: ColumnElement[datetime]) -> list[tuple[Any, ColumnElement[bool]]]:
    """What was done with somebody since first contact, each as its time and a condition on its own rows: an answer of hers, a
    request sent or kept, a product offered, a step, or the tap. Each is found by its case, so that years of others cost nothing."""
    kinds: list[tuple[Any, Any, tuple[ColumnElement[bool], ...]]] = [
        (Consent.case_id, Consent.given_at, ()),
        (Refusal.case_id, Refusal.said_at, ()),
        (Referral.case_id, Referral.issued_at, (col(Referral.direction) == "out",)),
        (DraftedReferral.case_id, DraftedReferral.kept_at, ()),
        (Dose.case_id, Dose.recorded_at, ()),
        (Progress.case_id, Progress.occurred_at, (col(Progress.agency) == here.agency,)),
        (CaseRead.case_id, CaseRead.read_at, (col(CaseRead.what) == SEEN_NOW,)),
    ]
    return [(col(at), and_(col(case_id) == col(Case.id), col(at) >= contact, *more)) for case_id, at, more in kinds]


def _contact() -> ColumnElement[datetime]:
    """When she was first known here: the file's opening; of what happened again, when that was written down."""
    earlier = aliased(Incident)
    is_again = exists().where(
        col(earlier.case_id) == col(Case.id),
        or_(
            col(earlier.recorded_at) < col(Incident.recorded_at),
            and_(col(earlier.recorded_at) == col(Incident.recorded_at), col(earlier.id) < col(Incident.id)),
        ),
    )
    return case((is_again, col(Incident.recorded_at)), else_=col(Case.opened_at))


async def waiting(tx: Transaction, here: Here, by: Actor) -> list[Waits]:
    """Whoever is to be seen first at the account's desks, the longest wait first; and looks are kept."""
    if by.role is Role.ADMINISTRATOR or not has_fast_track(here.programme):
        return []
    now, contact = tx.clock.now(), _contact()
    was_seen = or_(*(exists().where(done) for _at, done in _acts(here, contact)))
    query = (
        select(Case, Incident, contact)
        .join(Incident, col(Incident.case_id) == col(Case.id))
        .where(
            col(Case.is_received).is_(False), col(Incident.recorded_at) > now - QUEUE_MAX, contact > now - QUEUE_MAX, ~was_seen,
            scope.at_desk(by, col(Case.facility), col(Case.id)),
        )
        .order_by(contact, col(Incident.id))
    )  # fmt: skip
    with shut_shown():
        known = (await tx.session.execute(query)).tuples().all()
        found = [Waits(one, incident, since) for one, incident, since in known if _is_first(here, one, incident, now)][:LIST_MAX]
    await note_listed(tx, {one.case.id for one in found}, by)
    return found


def _is_first(here: Here, of: Case, incident: Incident, now: datetime) -> bool:
    if is_shut(incident) or is_shut(of) or incident.incident_type is None:
        return False  # a key is missing: it stands among what was opened, and says so there; or the case was erased
    said = {name: getattr(incident, name) for name in TOLD}
    return is_identified(here.programme, here.kind_of_place(of.facility), now, said, of.needs)


async def work_lines(tx: Transaction, here: Here, by: Actor) -> list[tuple[str, Said]]:
    """A supervisor's way to how long people waited."""
    if by.role is not Role.SUPERVISOR or not has_fast_track(here.programme):
        return []
    return [("/fast-track", Sentence(_("Minutes until somebody was seen, for those who stand in no queue"), {}))]


# --- figures ---------------------------------------------------------------------------------------------------------------


async def minutes(tx: Transaction, here: Here, by: Actor, first: date, until: date) -> list[Minutes]:
    """Of each station of the account, `until` not among the days; for supervisors. Whoever said no to being counted is in none."""
    by.may_let_out()
    async with scope.whole_agency(tx):
        begins, ends = here.begin_of(first), here.begin_of(until)
        waits: dict[str, list[timedelta]] = defaultdict(list)
        not_seen: dict[str, int] = defaultdict(int)
        not_known: dict[str, int] = defaultdict(int)
        async for row in rows(tx, _counted(here, begins, ends), col(Incident.id)):
            if not _was_first(tx, here, row):
                continue
            if row.is_paper:
                not_known[row.facility] += 1
            elif done := [at for at in row[-ACTS:] if at is not None]:
                waits[row.facility].append(min(done) - row.contact)
            else:
                not_seen[row.facility] += 1
        places = [place for place in here.entry.facilities if by.sees(place)]
        return [minutes_of(place, waits[place], not_seen[place], not_known[place]) for place in places]


def _counted(here: Here, begins: datetime, ends: datetime) -> Select[Any]:
    contact = _contact()
    done = [select(func.min(at)).where(is_done).scalar_subquery() for at, is_done in _acts(here, contact)]
    assert len(done) == ACTS
    is_paper = exists().where(col(Sheet.case_id) == col(Case.id))
    sealed = (getattr(Incident, name) for name in TOLD)
    return (
        select(
            col(Incident.id), col(Case.facility), contact.label("contact"), is_paper.label("is_paper"),
            *(as_it_lies(column).label(column.key) for column in sealed), as_it_lies(Case.needs).label("needs"), *done,
        )
        .join(Case, col(Case.id) == col(Incident.case_id))
        .where(~col(Case.not_counted), col(Case.is_received).is_(False), contact >= begins, contact < ends)
    )  # fmt: skip


def _was_first(tx: Transaction, here: Here, row: Any) -> bool:
    lies, of_case = sealed_columns(Incident), sealed_columns(Case)
    said: Mapping[str, Any] = {name: lies[name].read(getattr(row, name), tx.keys) for name in TOLD}
    if said["incident_type"] is None:
        return False  # the case was erased: nobody knows whom it was about
    needs = of_case["needs"].read(row.needs, tx.keys)
    return is_identified(here.programme, here.kind_of_place(row.facility), row.contact, said, needs)
