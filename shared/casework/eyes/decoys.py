"""Makes a case about nobody that looks like the others of its place: of a day on which cases came there, said to a colleague who
works there, in a language that is spoken there, with what happened and a no to everybody.

Nothing of it waits for anybody, on no list: whoever works from the top never has it before her.
"""

import contextlib
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from shared.casework.accounts.tables import Account
from shared.casework.cases.commands import AddIncident, OpenCase, add_incident, open_case
from shared.casework.cases.tables import Case, Incident
from shared.casework.consents.refusing import Refused, refuse
from shared.casework.eyes.commands import decoys
from shared.casework.eyes.tables import Decoy
from shared.casework.here import Actor, Forbidden, Here
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import ROLES_OF, AgeBand, ConsentHow, IncidentType, Role, Sex
from shared.kit.clock import SystemClock
from shared.kit.db import Transaction
from shared.kit.errors import Conflict
from shared.kit.ids import id_at, new_id
from shared.kit.keystore import CANNOT_OPEN
from shared.kit.sealed import Under, as_it_lies, sealed_columns

DECOYS_MAX = 50  # of an agency: a district has a few
NEWEST = timedelta(days=21)  # by then no list of work shows a case of which nothing is open
OLDEST = timedelta(days=120)  # as far back as anybody scrolls
WITHIN = timedelta(minutes=90)  # of a case that did come: on such a day, at such an hour
LIKE_MAX = 50  # cases that are looked at for what is usual
SAID_AFTER = (5, 40)  # minutes from opening a case to what is said last, at a desk
SINCE = (2, 40)  # hours from what happened to the desk

_draw = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class _Then(SystemClock):
    """A clock that stands where the case is put."""

    then: datetime

    def now(self) -> datetime:
        return self.then


@dataclass(frozen=True, slots=True)
class _Usual:
    """What is usual at a place. Each is drawn as often as it comes there."""

    days: list[datetime]
    languages: list[str]
    types: list[str]
    company: list[str]


async def make_decoy(tx: Transaction, here: Here, by: Actor, facility: str, age_band: AgeBand, sex: Sex) -> None:
    """A case about nobody at a place. Whoever opens it had no reason to: a supervisor is told. Raises Forbidden, Conflict."""
    if by.role is not Role.SUPERVISOR:
        raise Forbidden("Only a supervisor may do this.")
    if len(await decoys(tx)) >= DECOYS_MAX:
        raise Conflict("There are decoys enough; more of them would be opened by mistake.")
    here.facility(facility)
    now, usual = tx.clock.now(), await _usual(tx, facility)
    then = min(_day(now, usual), now - NEWEST)
    officer = await _colleague(tx, here, facility) or by
    kept, tx.clock = tx.clock, _Then(then)
    try:
        case = await _told(tx, here, officer, facility, _needs(here, usual, age_band, sex), usual)
    finally:
        tx.clock = kept
    which: Any = Under(None, {"case": str(case.id)})
    tx.session.add(Decoy(id=new_id(), which=which))
    await tx.session.flush()


async def _told(tx: Transaction, here: Here, officer: Actor, facility: str, needs: events.PersonNeeds, usual: _Usual) -> Case:
    then = tx.clock.now()
    came = _draw.choice(usual.company) if usual.company else None
    case = await open_case(OpenCase(facility=facility, needs=needs, came_with=came), tx, here, officer, id_=id_at(then))
    happened = then - timedelta(hours=_draw.uniform(*SINCE))
    incident = AddIncident(
        incident_type=IncidentType(_draw.choice(usual.types or [IncidentType.PHYSICAL_ASSAULT])), earliest_at=happened,
        latest_at=happened + timedelta(hours=1),
    )  # fmt: skip
    await add_incident(case.id, incident, tx, here, officer)
    said_at = then + timedelta(minutes=_draw.uniform(*SAID_AFTER))
    tx.clock = _Then(said_at)
    no = [
        Refused(peer, ConsentHow.SPOKEN, needs.language, interpreter=False, said_at=said_at, is_by_law=False)
        for peer in here.serving
    ]
    await refuse(case.id, no, tx, here, officer)
    case.not_counted = True  # nobody is in no figure
    await tx.session.flush()
    return case


def _day(now: datetime, usual: _Usual) -> datetime:
    if usual.days:
        return _draw.choice(usual.days) + _draw.uniform(-1, 1) * WITHIN
    return now - _draw.uniform(NEWEST.total_seconds(), OLDEST.total_seconds()) * timedelta(seconds=1)


def _needs(here: Here, usual: _Usual, age_band: AgeBand, sex: Sex) -> events.PersonNeeds:
    return events.PersonNeeds(
        age_band=age_band, sex=sex, language=_draw.choice(usual.languages or [here.programme.languages[0]]),
        access=codes.AccessNeed.NONE, staff_preference=codes.StaffPreference.NO_PREFERENCE,
    )  # fmt: skip


async def _usual(tx: Transaction, facility: str) -> _Usual:
    now = tx.clock.now()
    near = (col(Case.facility) == facility, col(Case.is_received).is_(False))
    of_then = (col(Case.opened_at) > now - OLDEST, col(Case.opened_at) < now - NEWEST - WITHIN)
    days = list((await tx.session.execute(select(col(Case.opened_at)).where(*near, *of_then))).scalars())
    lately = select(Case.id, as_it_lies(Case.needs), as_it_lies(Case.came_with)).where(*near)  # type: ignore[call-overload]
    cases = (await tx.session.execute(lately.order_by(col(Case.opened_at).desc()).limit(LIKE_MAX))).all()
    told = select(as_it_lies(Incident.incident_type)).where(col(Incident.case_id).in_([row.id for row in cases]))
    needs = [_opened(tx, Case, "needs", row.needs) for row in cases]
    types = [_opened(tx, Incident, "incident_type", held) for held in (await tx.session.execute(told)).scalars()]
    company = [_opened(tx, Case, "came_with", row.came_with) for row in cases]
    return _Usual(
        days, [one["language"] for one in needs if one and one.get("language")], [one for one in types if one],
        [one for one in company if one],
    )  # fmt: skip


def _opened(tx: Transaction, table: Any, name: str, held: bytes | None) -> Any:
    with contextlib.suppress(*CANNOT_OPEN):  # of that case nothing is drawn
        return sealed_columns(table)[name].open(held, tx.keys)
    return None


async def _colleague(tx: Transaction, here: Here, facility: str) -> Actor | None:
    """Somebody who works there and opens cases: as whom it is written."""
    at_work = sorted(ROLES_OF[here.kind] - {Role.SUPERVISOR, Role.ADMINISTRATOR})
    query = select(Account).where(
        col(Account.facility) == facility, col(Account.role).in_(at_work), col(Account.is_disabled).is_(False)
    )
    found = list((await tx.session.execute(query)).scalars())
    account = _draw.choice(found) if found else None
    return here.actor(account.id, account.name, Role(account.role), account.facility) if account is not None else None
