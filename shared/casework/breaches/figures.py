"""How many breaches there were, without opening a case; whoever said no to being counted is left out."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, true
from sqlmodel import col

from shared.casework import scope
from shared.casework.breaches.domain import BreachCode, ByWhom
from shared.casework.breaches.tables import Breach
from shared.casework.cases.tables import Case
from shared.casework.figures.counting import Counts
from shared.casework.figures.domain import Period
from shared.casework.figures.reading import of_counted
from shared.casework.here import Actor, Here
from shared.kit.db import Transaction
from shared.kit.sealed import shut_shown
from shared.programmes.indicators import Measure

NOT_KNOWN = "not_known"  # in place of a code that does not open


@dataclass(frozen=True, slots=True)
class Breached:
    """One breach: at the place of its case, as codes of what and from whose side."""

    place: str
    code: str
    by_whom: str = NOT_KNOWN


async def breaches(tx: Transaction, first: datetime, until: datetime, seen: ColumnElement[bool] | None = None) -> list[Breached]:
    """Breaches of a span, only of cases that are `seen`, where that is said."""
    query = of_counted(Breach, col(Case.facility), col(Breach.code), col(Breach.by_whom)).where(
        true() if seen is None else seen, col(Breach.occurred_at) >= first, col(Breach.occurred_at) < until
    )
    known, sides = set(BreachCode), set(ByWhom)
    with shut_shown():
        found = (await tx.session.execute(query)).tuples().all()
    return [
        Breached(place, str(what) if what in known else NOT_KNOWN, str(who) if who in sides else NOT_KNOWN)
        for place, what, who in found
    ]


async def fees_demanded(tx: Transaction, first: datetime, until: datetime) -> list[tuple[UUID, str]]:
    """Fees of a span that were written down as breaches: of which case, and at which place."""
    query = of_counted(Breach, col(Breach.case_id), col(Breach.facility), col(Breach.code)).where(
        col(Breach.occurred_at) >= first, col(Breach.occurred_at) < until
    )
    with shut_shown():
        found = (await tx.session.execute(query)).tuples().all()
    return [(case, place) for case, place, code in found if code == BreachCode.FEE_DEMANDED]


async def counted(tx: Transaction, here: Here, by: Actor, of: Period) -> dict[str, int]:
    """By what was done or demanded, in a period, of the cases that an account may see, also where it is 0."""
    found = dict.fromkeys([*map(str, BreachCode), NOT_KNOWN], 0)
    for breach in await breaches(tx, here.begin_of(of.first), here.begin_of(of.until), scope.this_case(by)):
        found[breach.code] += 1
    return found


async def counts(tx: Transaction, here: Here, of: Period) -> Counts:
    """Attempted mediations, of every kind of agency."""
    found = Counts.of(Measure.MEDIATIONS)
    for breach in await breaches(tx, here.begin_of(of.first), here.begin_of(of.until)):
        found.add(Measure.MEDIATIONS, breach.place, int(breach.code == BreachCode.MEDIATION_ATTEMPTED))
    return found
