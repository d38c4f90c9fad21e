"""Along which of the programme's pathways a request goes, and what they say of it: how soon, in what time somebody sees it there,
and which places take nobody just now. It is said and shown; nothing is refused or sent by it.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from shared.casework import scope
from shared.casework.directory.places import Path, hours_begin, is_within
from shared.casework.here import Here
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import ReferralState, Urgency
from shared.kit.db import Transaction
from shared.programmes.care import Pathway
from shared.programmes.situation import Situation

URGENCIES = tuple(Urgency)  # the soonest first
NOT_ASKED = (ReferralState.DECLINED, ReferralState.CANCELLED)  # so it is still to be offered

EndsAt = Callable[[Transaction, Here, UUID], Awaitable[datetime | None]]
_ends_at: list[EndsAt] = []


def on_before(ends_at: EndsAt) -> None:
    """Registers when that ends which a pathway of a case must come `before`: a stay, where an agency has stays."""
    if ends_at not in _ends_at:
        _ends_at.append(ends_at)


def ways(
    here: Here, issuer: str, from_facility: str | None, recipient: str, to_facility: str | None, packages: Iterable[str]
) -> list[Pathway]:
    """The pathways from one place to another for one of these packages, whoever they are for."""
    start, end, asked = here.kind_at(issuer, from_facility), here.kind_at(recipient, to_facility), set(packages)
    found = here.programme.pathways_from(start).values() if start is not None else ()
    return [way for way in found if end in way.to and asked & set(way.packages)]


def urgency_of(found: Iterable[Pathway], situation: Situation) -> Urgency | None:
    """How soon, as the pathways say it where nobody else does; None where they leave it to the desk. What is not known of her
    counts for her."""
    said = [
        way.urgency for way in found if way.urgency is not None and (way.when is None or way.when.holds(situation) is not False)
    ]
    return min(said, key=URGENCIES.index, default=None)


def acknowledge_within(
    here: Here, found: Iterable[Pathway], packages: Iterable[str], urgency: str, situation: Situation | None = None
) -> timedelta:
    """In what time a person there is to have seen it: as the pathways say it for what is asked, else by its urgency; what is acute
    waits no longer than that for anything. Without a situation a pathway that is only for some speaks of nobody."""
    said = [
        way for way in found
        if way.acknowledge_h is not None
        and (way.when is None or (situation is not None and way.when.holds(situation) is True))
    ]  # fmt: skip
    times = [timedelta(hours=float(way.acknowledge_h)) for way in said if way.acknowledge_h is not None]
    uncovered = set(packages).difference(*(way.packages for way in said))
    if not times or urgency == Urgency.ACUTE or uncovered:  # where its words are gone it has no packages either
        times.append(here.programme.limits.acknowledge_h.of(urgency))
    return min(times)


def is_respond_assumed(here: Here, package: str) -> bool:
    """Whether a time in which a package is to be answered rests on no published source."""
    found = (way for way in here.programme.pathways.values() if package in way.packages and way.respond_h is not None)
    return any(way.is_assumption("respond_h") for way in found)


def seen_within(here: Here, referral: Any) -> timedelta:
    """The same of a referral that was sent."""
    found = ways(
        here, referral.issuer, referral.from_facility, referral.recipient, referral.to_facility, referral.services
    )  # fmt: skip
    return acknowledge_within(here, found, referral.services, referral.urgency)


async def ends_before(tx: Transaction, here: Here, found: Iterable[Pathway], case_id: UUID) -> datetime | None:
    """When that ends which one of the pathways must come before; None where nothing does, or has ended."""
    if not any(way.before is not None for way in found):
        return None
    said = [at for ends_at in _ends_at if (at := await ends_at(tx, here, case_id)) is not None]
    return min(said, default=None)


async def paths(
    tx: Transaction, here: Here, agencies: Iterable[str], desk: str | None, local: datetime, packages: Iterable[str]
) -> dict[str, Path]:
    """By place, what the pathways from a desk say of it just now."""
    asked, taken = set(packages), await _taken_today(tx, here)
    said = {}
    for agency in agencies:
        for facility in here.network.agencies[agency].facilities:
            found = ways(here, here.agency, desk, agency, facility, asked)
            if found:
                said[f"{agency}/{facility}"] = _path(here, found, here.kind_at(agency, facility), local, taken, agency, facility)
    return said


def _path(
    here: Here, found: list[Pathway], kind: str | None, local: datetime, taken: Mapping[tuple[str, str], int], agency: str,
    facility: str,
) -> Path:  # fmt: skip
    open_now = [way for way in found if way.hours is None or is_within(way.hours, local)]
    count = taken.get((agency, facility), 0)
    free = [way for way in open_now or found if way.per_day is None or count < way.per_day]
    turn = min(way.to.index(kind) for way in found if kind in way.to)
    opens = None if open_now else min(hours_begin(str(way.hours)) for way in found)
    return Path(turn, opens, None if free else min(way.per_day for way in open_now or found if way.per_day is not None))


async def _taken_today(tx: Transaction, here: Here) -> dict[tuple[str, str], int]:
    """How many requests each place was sent from here today; nothing where no pathway says how many it can take."""
    if all(way.per_day is None for way in here.programme.pathways.values()):
        return {}
    today = here.begin_of(here.day_of(tx.clock.now()))
    query = select(col(Referral.recipient), col(Referral.to_facility), func.count()).where(
        col(Referral.direction) == "out", col(Referral.issued_at) >= today, col(Referral.state).not_in(NOT_ASKED)
    )  # fmt: skip
    async with scope.whole_agency(tx):  # of how many each place was asked by all its desks: sums alone come out
        rows = await tx.session.execute(query.group_by(col(Referral.recipient), col(Referral.to_facility)))
        return {(recipient, facility): count for recipient, facility, count in rows.tuples()}
