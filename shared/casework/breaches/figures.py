"""How many breaches there were, of the cases that an account may see, without opening one; whoever said no to being counted is left
out."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlmodel import col

from shared.casework import scope
from shared.casework.breaches.domain import BreachCode
from shared.casework.breaches.tables import Breach
from shared.casework.cases.tables import Case
from shared.casework.figures.domain import Period
from shared.casework.figures.views import COUNTED
from shared.casework.here import Actor, Here
from shared.kit.db import Transaction
from shared.kit.sealed import shut_shown


async def counted(tx: Transaction, here: Here, by: Actor, of: Period) -> dict[str, int]:
    """By what was done or demanded, in a period, also where it is 0; what does not open is counted in none."""
    zone = ZoneInfo(here.programme.time_zone)
    first, until = (datetime.combine(day, time(), zone) for day in (of.first, of.until))
    query = (
        select(col(Breach.code))
        .join(Case, col(Case.id) == col(Breach.case_id))
        .where(COUNTED, scope.this_case(by), col(Breach.occurred_at) >= first, col(Breach.occurred_at) < until)
    )
    found = dict.fromkeys(map(str, BreachCode), 0)
    with shut_shown():
        for what in (await tx.session.execute(query)).scalars():
            if isinstance(what, str):
                found[what] += 1
    return found
