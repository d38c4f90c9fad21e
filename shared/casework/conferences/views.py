"""Case conferences as they are shown: of a case, and those that wait for this desk. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import or_, select
from sqlmodel import col

from shared.casework import scope, sharing
from shared.casework.cases.tables import Case
from shared.casework.conferences.commands import CALLED, invitations_of
from shared.casework.conferences.tables import Conference, Invitation
from shared.casework.here import Actor, Here
from shared.contracts.casework import minimal_data
from shared.contracts.casework.codes import AgendaItem
from shared.kit.db import Transaction
from shared.kit.errors import Said, Sentence
from shared.kit.i18n import mark as _

LISTED_MAX = 200  # of one desk: more at once is no list


@dataclass(frozen=True, slots=True)
class Asked:
    """An agency that may be asked, with the items that she agreed it hears; none of them: she would have to be asked first."""

    agency: str
    items: tuple[AgendaItem, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A conference, and who was asked to it where it is ours."""

    row: Conference
    invitations: Sequence[Invitation]


async def shown(tx: Transaction, here: Here, row: Conference) -> Shown:
    """One conference as its page shows it."""
    return Shown(row, await invitations_of(tx, row.id) if row.caller == here.agency else ())


async def conferences_of(tx: Transaction, here: Here, case_id: UUID) -> list[Shown]:
    """Conferences of a case, the last called first."""
    query = select(Conference).where(col(Conference.case_id) == case_id).order_by(col(Conference.id).desc())
    return [await shown(tx, here, row) for row in (await tx.session.execute(query)).scalars().all()]


def may_call(here: Here) -> bool:
    """Whether an agency of this kind calls conferences at all."""
    return any(way[0] is here.kind for way in minimal_data.AGENDA_CROSSES)


async def may_be_asked(tx: Transaction, here: Here, case_id: UUID) -> list[Asked]:
    """Whom a conference about a case may ask, by what she agreed that each hears."""
    found = []
    for agency in here.serving:
        if (here.kind, here.kind_of(agency)) in minimal_data.AGENDA_CROSSES:
            release = await sharing.released(tx, here, case_id, agency)
            found.append(Asked(agency, sharing.agenda_for(here, agency, release, AgendaItem) if release is not None else ()))
    return found


async def open_ones(tx: Transaction, by: Actor) -> list[tuple[Conference, Case]]:
    """Conferences that are to come, or of which nobody said what became of them, by their days."""
    query = (
        select(Conference, Case)
        .join(Case, col(Case.id) == col(Conference.case_id))
        .where(col(Conference.state) == CALLED, or_(scope.this_case(by), scope.at_desk(by, col(Conference.desk), col(Case.id))))
        .order_by(col(Conference.on_date), col(Conference.id))
        .limit(LISTED_MAX)
    )
    return list((await tx.session.execute(query)).tuples())


async def work_lines(tx: Transaction, here: Here, by: Actor) -> Sequence[tuple[str, Said]]:
    """How many invitations wait for an answer, and how many conferences are to come or to be concluded."""
    found = [row for row, _case in await open_ones(tx, by)]
    unanswered = [row for row in found if row.caller != here.agency and row.answer is None]
    lines: list[tuple[str, Said]] = []
    if unanswered:
        lines.append(
            ("/conferences", Sentence(_("Invitations to a case conference to answer: %(count)s."), {"count": len(unanswered)}))
        )
    if len(found) > len(unanswered):
        count = len(found) - len(unanswered)
        lines.append(("/conferences", Sentence(_("Case conferences to come, or to be concluded: %(count)s."), {"count": count})))
    return lines


async def case_ways(tx: Transaction, here: Here, _by: Actor, case: Case) -> Sequence[tuple[str, str]]:
    """Where the conferences of a case are: at whoever calls them, and where this agency was asked to one."""
    asked = select(col(Conference.id)).where(col(Conference.case_id) == case.id).limit(1)
    if not may_call(here) and (await tx.session.execute(asked)).first() is None:
        return []
    return [(f"/cases/{case.id}/conferences", _("Case conferences"))]
