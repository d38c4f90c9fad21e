"""Route: what agencies have released of a quarter."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from services.oversight.figures.pages import a_quarter
from services.oversight.figures.views import isolated, of_quarter
from shared.casework.edge import OneEdge, Page, SignedIn
from shared.kit.bodies import Body

router = APIRouter(prefix="/api/v1", tags=["oversight"])


class CubeView(Body):
    """A cube's numbers by key, null where one is hidden; no numbers: it is withheld."""

    cube: str
    numbers: dict[str, int | None] | None


class StageView(Body):
    """How many reports came at least so far; null where that is hidden."""

    step: str
    reached: int | None


class AgencyFigures(Body):
    """What an agency has released; no cubes: nothing yet. `release` 0: the sum of its months. `is_isolated`: all police of its
    country together."""

    agency: str
    period: str
    release: int
    said_at: datetime | None
    cubes: list[CubeView]
    attrition: list[StageView]
    non_specialist_percent: float | None
    is_isolated: bool


@router.get("/national")
async def get_quarter(
    edge: OneEdge, by: SignedIn, period: Annotated[str, Query(description="a quarter: 2026-Q4", max_length=7)]
) -> Page:
    """Every agency of a quarter: reports, not prevalence."""
    by.may_let_out()
    of = a_quarter(period)
    async with edge.database.read() as tx:
        found = await of_quarter(tx, edge.here, of)
    alone = isolated(edge.here, found)
    return Page(
        items=[
            AgencyFigures(
                agency=one.agency, period=of.name, release=one.number, said_at=one.said_at,
                cubes=[
                    CubeView(cube=table.id, numbers=dict(table.values) if table.values is not None else None)
                    for table in one.tables.values()
                ],
                attrition=[StageView(step=stage.step, reached=stage.reached) for stage in one.attrition],
                non_specialist_percent=one.isolation.share if one.isolation is not None else None,
                is_isolated=one.agency in alone,
            )
            for one in found
        ]
    )  # fmt: skip
