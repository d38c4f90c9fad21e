"""Saying who sits at a unit today, or sat there on a day of the last weeks."""

from datetime import date, timedelta

from services.police.seats.domain import UNIT, Presence
from services.police.seats.tables import SeatDay
from shared.casework.cases.commands import Form
from shared.casework.directory.seats import seats_at
from shared.casework.here import Actor, Here
from shared.contracts.casework import events
from shared.kit.db import Transaction
from shared.kit.errors import Conflict, NotFound
from shared.programmes.terms import EVERY_DAY, DayOfWeek

BACK_MAX = timedelta(days=31)  # a unit without a computer brings its sheet of the month


class SaySeat(Form):
    """How it stands with one seat on one day; left out, today."""

    seat: events.Code
    presence: Presence
    on: date | None = None
    facility: events.FacilityId | None = None


def seats_of(here: Here, facility: str | None) -> tuple[str, ...]:
    """The seats that a place speaks of: its own, and those of workers who are posted there. None where nobody is."""
    posted = tuple(seats_at(here.programme, here.kind_of_place(facility)))
    return (UNIT, *posted) if posted else ()


def counted_on(here: Here, facility: str, seat: str) -> frozenset[DayOfWeek]:
    """The days on which a seat is counted: a worker's as the profile opens her kind of office, the unit's on every day."""
    if seat == UNIT:
        return frozenset(EVERY_DAY)
    kinds = seats_at(here.programme, here.kind_of_place(facility))[seat]
    return frozenset(day for kind in kinds for day in here.programme.facilities[kind].open_days)


def units(here: Here, by: Actor) -> list[str]:
    """The places of an account that have such seats."""
    return [id_ for id_ in here.entry.facilities if by.sees(id_) and seats_of(here, id_)]


async def say(command: SaySeat, tx: Transaction, here: Here, by: Actor) -> SeatDay:
    """Keeps what was said; raises Conflict where the seat or the day is none that this place speaks of."""
    by.may_work()
    facility = command.facility or by.facility
    if facility is None:
        raise Conflict("Choose the unit of which this is said.")
    here.facility(facility)
    if not by.sees(facility):
        raise NotFound("There is nothing at this address.")
    if command.seat not in seats_of(here, facility):
        raise Conflict("There is no such seat at this unit.")
    now = tx.clock.now()
    today = here.day_of(now)
    on = command.on or today
    if not today - BACK_MAX <= on <= today:
        raise Conflict("Choose a day of the last month, and none that is still to come.")
    row = SeatDay(
        facility=facility, seat=command.seat, on_date=on, presence=command.presence, recorded_at=now, recorded_by=by.account_id
    )
    tx.session.add(row)
    await tx.session.flush()
    return row
