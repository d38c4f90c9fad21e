"""A store of a place of care as a programme's measures: days on which nothing of a product lay there that could be given."""

from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlmodel import col

from services.health.supplies.tables import StoreEntry
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.here import Here
from shared.casework.stock import commands as stock
from shared.casework.stock.domain import DAY, stock_out_days
from shared.kit.db import Transaction
from shared.programmes.indicators import Measure


async def counts(tx: Transaction, here: Here, of: Period) -> Counts:
    """Of every product that a store ever had; nothing where no store keeps a book. Days that have not come yet are none."""
    found = Counts()
    seen = min(of.until, here.day_of(tx.clock.now()) + DAY)
    query = select(col(StoreEntry.facility), col(StoreEntry.product)).distinct()
    for facility, product in sorted((await tx.session.execute(query)).tuples()):
        moves = [row.moved for row in await stock.entries(tx, StoreEntry, facility, product, here.begin_of(of.until))]
        out = stock_out_days(moves, of.first, seen, ZoneInfo(here.programme.time_zone))
        found.add(Measure.STOCK_OUT_DAYS, facility, out)
    return found
