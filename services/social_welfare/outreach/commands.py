"""Writing a session down, and correcting one by another line: what was written stays."""

from datetime import date, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from services.social_welfare.outreach.domain import AGES, REACHED_MAX, SEXES, SessionKind
from services.social_welfare.outreach.tables import OutreachSession
from shared.casework.cases.commands import Form
from shared.casework.here import Actor, Here
from shared.contracts.casework import events
from shared.contracts.casework.codes import AgeBand, Sex
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict, NotFound
from shared.kit.i18n import mark as _
from shared.kit.ids import new_id

BACK_MAX = timedelta(days=366)  # an older session is a mistyped year
LISTED_MAX = 200
WRONG_DAY = _("Choose the day of the session: today or earlier, within a year.")
WRONG_DISTRICT = _("Choose one of the districts of this network, or the office’s own.")

Reached = Annotated[int, Field(ge=0, le=REACHED_MAX)]


class WriteSession(Form):
    """A session and how many it reached, by sex and age group."""

    facility: events.FacilityId | None = None
    kind: SessionKind
    district: events.Code | None = None
    held_on: date
    reached: dict[Sex, dict[AgeBand, Reached]] = Field(default_factory=dict)
    corrects: UUID | None = None


async def write_session(command: WriteSession, tx: Transaction, here: Here, by: Actor) -> OutreachSession:
    """Keeps it; raises Conflict for a day to come, a district that is none, or a group that is not counted."""
    by.may_work()
    facility = command.facility or by.facility or next(iter(here.entry.facilities))
    here.facility(facility)
    if not by.sees(facility):
        raise NotFound("This account does not work at %(place)s.", place=Coded(facility, "place"))
    today = here.day_of(tx.clock.now())
    if not today - BACK_MAX <= command.held_on <= today:
        raise Conflict(WRONG_DAY)
    if command.district is not None and command.district not in districts(here):
        raise Conflict(WRONG_DISTRICT)
    counted = {
        str(sex): {str(age): number for age, number in ages.items() if number} for sex, ages in command.reached.items() if ages
    }
    foreign = set(command.reached) - set(SEXES) or {age for ages in command.reached.values() for age in ages} - set(AGES)
    if foreign or (command.kind is SessionKind.RADIO and any(counted.values())):
        raise Conflict("People are counted by woman or girl, man or boy, other, and by age group; listeners of the radio are not.")
    if command.corrects is not None:
        await _load(tx, command.corrects, by)
    row = OutreachSession(
        id=new_id(), facility=facility, kind=command.kind, district=command.district, held_on=command.held_on, reached=counted,
        total=sum(number for ages in counted.values() for number in ages.values()), corrects=command.corrects,
        recorded_at=tx.clock.now(), recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    return row


async def _load(tx: Transaction, session_id: UUID, by: Actor) -> OutreachSession:
    row = await tx.session.get(OutreachSession, session_id)
    if row is None or not by.sees(row.facility):
        raise NotFound("There is no such session.")
    newer = select(col(OutreachSession.id)).where(col(OutreachSession.corrects) == session_id).limit(1)
    if (await tx.session.execute(newer)).first() is not None:
        raise Conflict("This session has been corrected already; correct the newer line.")
    return row


def districts(here: Here) -> list[str]:
    """The districts in which this agency has places."""
    return sorted({place.district for place in here.entry.facilities.values() if place.district})


def counts_still() -> ColumnElement[bool]:
    """In a query for sessions: those that no later line corrects."""
    newer = aliased(OutreachSession)
    return ~exists().where(col(newer.corrects) == col(OutreachSession.id))


async def sessions(tx: Transaction, by: Actor, first: date | None = None, until: date | None = None) -> list[OutreachSession]:
    """Sessions of the account's places that count, the last held first; `until` is not among the days."""
    query = select(OutreachSession).where(counts_still())
    if by.facility is not None:
        query = query.where(col(OutreachSession.facility).in_(by.desks))
    if first is not None and until is not None:
        query = query.where(col(OutreachSession.held_on) >= first, col(OutreachSession.held_on) < until)
    query = query.order_by(col(OutreachSession.held_on).desc(), col(OutreachSession.id).desc())
    return list((await tx.session.execute(query if first is not None else query.limit(LISTED_MAX))).scalars())
