"""Route: what this agency counts of its programme's measures in a year, for its supervisor and for `refnet simulate`."""

from typing import Annotated

from fastapi import APIRouter, Query

from shared.casework.edge import OneEdge, SignedIn
from shared.casework.figures.counting import answer, counts_of
from shared.casework.figures.domain import YEARS, year_of
from shared.programmes.tallies import CountsAnswer

router = APIRouter(prefix="/api/v1", tags=["figures"])


@router.get("/counts")
async def get_counts(edge: OneEdge, by: SignedIn, year: Annotated[int, Query(ge=YEARS[0], le=YEARS[1])]) -> CountsAnswer:
    """Every measure that this agency keeps records of, by place, and every duration, of one year by the programme's wall clock; at
    the places that a supervisor looks after. Counted from the records as they are now, without opening a case; never stored.

    What it keeps no records of is left out, and is not nought. Facilities, districts, stations and desks are as they stand now.
    """
    async with edge.database.read() as tx:
        counts = await counts_of(tx, edge.here, by, edge.pages.look.counts, year_of(year))
    return answer(edge.here, year, counts)
