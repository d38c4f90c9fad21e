"""Presence as a programme's measures: days of seats and of units, and those on which somebody said that there was somebody.

A day of which nobody said anything is a day of the seat, and no day of presence: it is reported, not assumed.
"""

from datetime import timedelta

from services.police.seats.commands import counted_on, seats_of
from services.police.seats.domain import UNIT, Presence, days_of
from services.police.seats.views import first_day, said
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.here import Here
from shared.kit.db import Transaction
from shared.programmes.indicators import Measure

M = Measure


async def counts(tx: Transaction, here: Here, of: Period) -> Counts:
    """Of each unit, from the first day of which anybody said anything to today. Nothing where no programme posts anybody."""
    places = {place: seats for place in here.entry.facilities if (seats := seats_of(here, place))}
    begins = await first_day(tx) if places else None
    if begins is None:
        return Counts()
    found = Counts.of(M.UNIT_DAYS, M.UNIT_DAYS_STAFFED, M.SEAT_DAYS, M.SEAT_DAYS_PRESENT)
    first = max(of.first, begins)
    until = min(of.until, here.day_of(tx.clock.now()) + timedelta(days=1))
    known = await said(tx, first, until)
    for place, seats in places.items():
        for seat in seats:
            days = days_of(counted_on(here, place, seat), known.get((place, seat), {}), first, until)
            all_, there = (M.UNIT_DAYS, M.UNIT_DAYS_STAFFED) if seat == UNIT else (M.SEAT_DAYS, M.SEAT_DAYS_PRESENT)
            found.add(all_, place, days.days)
            found.add(there, place, days.said[Presence.PRESENT])
    return found
