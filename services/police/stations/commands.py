"""Numbers of a station: given at once, in the transaction of what they stand for, without any line; told to its mother station."""

from datetime import date, datetime, timedelta
from uuid import UUID

from pydantic import Field
from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from services.police.stations.domain import HowStated, Informed
from services.police.stations.tables import InformedCount, Registration, StationCounter, StationStated
from shared.casework.cases.commands import Form
from shared.casework.directory.stations import station_subject
from shared.casework.here import Actor, Here
from shared.casework.referrals.commands import on_issued
from shared.casework.referrals.tables import Referral
from shared.contracts.casework import events
from shared.contracts.casework.codes import Registered
from shared.exchange import outbox
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Conflict, NotFound
from shared.kit.ids import new_id

COUNT_MAX = 500  # informed at once, as at a meeting; more is a mistyped figure
BACK_MAX = timedelta(days=31)  # a tally sheet is carried over within a month


class CountInformed(Form):
    """How many were informed of one thing on one day."""

    what: Informed
    count: int = Field(ge=1, le=COUNT_MAX)
    on: date | None = None
    facility: events.FacilityId | None = None


class StateNumber(Form):
    """A station's newest number, as it was said by phone or stands on a slip. `corrects`: the line that was mistyped."""

    number: int = Field(ge=1, le=events.STATION_NUMBER_MAX)
    how: HowStated
    corrects: UUID | None = None


async def give_number(
    tx: Transaction, here: Here, what: Registered, about: UUID, case_id: UUID, facility: str, occurred_at: datetime
) -> Registration | None:
    """The next number of this station, told to its mother station; None where this agency is no station. The lock on the counter
    is the last that is taken: of two desks one waits for the other's commit, and no number is left out."""
    mother = here.entry.mother
    if mother is None:
        return None
    number = await _next(tx)
    row = Registration(
        number=number, what=what, about=about, case_id=case_id, facility=facility, event_id=new_id(), occurred_at=occurred_at,
        recorded_at=tx.clock.now(),
    )  # fmt: skip
    tx.session.add(row)
    subject = station_subject(here.agency)
    await outbox.lock_subjects(tx, [subject])
    word = events.StationRegistered(number=number, what=what)
    await outbox.add(
        tx,
        outbox.Outgoing(recipient=mother, type=word.type, dataversion=word.version, subject=subject, lane_key=subject,
                        data=events.data_of(word), occurred_at=occurred_at, event_id=row.event_id),
    )  # fmt: skip
    await tx.session.flush()
    return row


async def _next(tx: Transaction) -> int:
    await tx.session.execute(outbox.insert_if_absent(tx, StationCounter), [{"id": 1, "last": 0}])
    query = update(StationCounter).where(col(StationCounter.id) == 1).values(last=col(StationCounter.last) + 1)
    number = int((await tx.session.execute(query.returning(col(StationCounter.last)))).scalar_one())
    if number > events.STATION_NUMBER_MAX:
        raise Conflict("This station has given every number that it has; call whoever looks after it.")
    return number


async def at_least(tx: Transaction, number: int) -> None:
    """Numbers go on above this one: it was given before a restore."""
    await tx.session.execute(outbox.insert_if_absent(tx, StationCounter), [{"id": 1, "last": 0}])
    query = update(StationCounter).where(col(StationCounter.id) == 1, col(StationCounter.last) < number).values(last=number)
    await tx.session.execute(query)


async def _number_referral(tx: Transaction, here: Here, referral: Referral, _by: Actor) -> None:
    await give_number(tx, here, Registered.REFERRAL, referral.id, referral.case_id, referral.desk, referral.issued_at)


async def count_informed(command: CountInformed, tx: Transaction, here: Here, by: Actor) -> InformedCount:
    """Adds to the count of a day; raises Conflict for a day that is to come or long ago, or where this is no station."""
    by.may_work()
    is_station(here)
    facility = command.facility or by.facility or next(iter(here.entry.facilities))
    here.facility(facility)
    if not by.sees(facility):
        raise NotFound("This account does not work at %(place)s.", place=Coded(facility, "place"))
    today = here.day_of(tx.clock.now())
    on = command.on or today
    if not today - BACK_MAX <= on <= today:
        raise Conflict("Choose a day of the last month, and none that is still to come.")
    row = {"facility": facility, "on_date": on, "what": command.what.value, "count": command.count}
    insert = postgresql.insert if tx.dialect == "postgresql" else sqlite.insert
    added = insert(InformedCount).values(**row)
    summed = {"count": col(InformedCount.count) + added.excluded["count"]}
    await tx.session.execute(added.on_conflict_do_update(index_elements=["facility", "on_date", "what"], set_=summed))
    return await tx.session.get_one(InformedCount, (facility, on, command.what.value), populate_existing=True)


async def state_number(station: str, command: StateNumber, tx: Transaction, here: Here, by: Actor) -> StationStated:
    """Keeps what was said of a station's newest number: what is not here up to it is named. Raises NotFound, and Conflict where the
    line that was mistyped has been put right already."""
    by.may_supervise()
    if station not in here.stations:
        raise NotFound("“%(agency)s” is no station of this agency.", agency=station)
    if command.corrects is not None:
        await _was_stated(tx, station, command.corrects)
    row = StationStated(
        id=new_id(), station=station, number=command.number, how=command.how, corrects=command.corrects, stated_at=tx.clock.now(),
        recorded_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    return row


async def _was_stated(tx: Transaction, station: str, line: UUID) -> None:
    wrong = await tx.session.get(StationStated, line, with_for_update=True)
    if wrong is None or wrong.station != station:
        raise NotFound("There is no such number of this station; look at the list again.")
    query = select(col(StationStated.id)).where(col(StationStated.corrects) == line)
    if (await tx.session.execute(query)).first() is not None:
        raise Conflict("This number was put right already; correct the newer line.")


def is_station(here: Here) -> None:
    """Raises NotFound where this agency is none."""
    if here.entry.mother is None:
        raise NotFound("This agency is no outlying or mobile station.")


on_issued(_number_referral)
