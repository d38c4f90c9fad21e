"""Who sits where, as it was said; reads only."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date, timedelta

from sqlalchemy import func, select
from sqlmodel import col

from services.police.seats.commands import seats_of, units
from services.police.seats.domain import UNIT, Presence
from services.police.seats.tables import SeatDay
from shared.casework import scope
from shared.casework.directory.seats import NO_SEATS, SeatsNow
from shared.casework.here import Actor, Here
from shared.contracts.casework.codes import Role
from shared.kit.db import Transaction
from shared.kit.errors import Said, Sentence
from shared.kit.i18n import mark as _

Said_ = Mapping[tuple[str, str], Mapping[date, Presence]]  # by place and seat, what was said last of each day


async def said(tx: Transaction, first: date, until: date, places: Collection[str] | None = None) -> Said_:
    """What was said last of each day, `until` not among them, at these places or at all."""
    query = (
        select(col(SeatDay.facility), col(SeatDay.seat), col(SeatDay.on_date), col(SeatDay.presence))
        .where(col(SeatDay.on_date) >= first, col(SeatDay.on_date) < until)
        .order_by(col(SeatDay.position))
    )
    if places is not None:
        query = query.where(col(SeatDay.facility).in_(places))
    found: dict[tuple[str, str], dict[date, Presence]] = defaultdict(dict)
    for facility, seat, on, presence in (await tx.session.execute(query)).tuples():
        found[facility, seat][on] = Presence(presence)
    return found


async def first_day(tx: Transaction) -> date | None:
    """The first day of which anybody of the agency said anything: before it nothing is counted, because nobody was asked."""
    async with scope.whole_agency(tx):
        return (await tx.session.execute(select(func.min(col(SeatDay.on_date))))).scalar_one()


async def seats_now(tx: Transaction, here: Here, facility: str | None) -> SeatsNow:
    """The seats of a place today, for the page that sends somebody there."""
    seats = [seat for seat in seats_of(here, facility) if seat != UNIT]
    if facility is None or not seats:
        return NO_SEATS
    today = here.day_of(tx.clock.now())
    known = await said(tx, today, today + timedelta(days=1), [facility])
    there = {seat: known.get((facility, seat), {}).get(today) for seat in seats}
    return SeatsNow(
        frozenset(seat for seat, one in there.items() if one is not None and one is not Presence.PRESENT),
        frozenset(seat for seat, one in there.items() if one is None),
    )


async def work_lines(tx: Transaction, here: Here, by: Actor) -> list[tuple[str, Said]]:
    """A desk is asked who is there, until somebody has said so today; a supervisor finds what was said."""
    if by.role is Role.ADMINISTRATOR or not units(here, by):
        return []
    if by.facility is None:
        return [("/seats", Sentence(_("Who sits at which unit, as the units say"), {}))]
    today = here.day_of(tx.clock.now())
    known = await said(tx, today, today + timedelta(days=1), [by.facility])
    if all(today in known.get((by.facility, seat), {}) for seat in seats_of(here, by.facility)):
        return []
    return [("/seats", Sentence(_("Who is at this unit today? Nobody has said yet"), {}))]
