"""Stays as they are shown: a centre's list, a case's own, and where else somebody may go. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from services.police.stays import commands
from services.police.stays.domain import Standing
from services.police.stays.tables import Stay, StayFact, StayRefusal
from shared.casework import scope
from shared.casework.cases.tables import Case
from shared.casework.cases.views import note_listed
from shared.casework.directory.places import Place, places
from shared.casework.here import Actor, Here
from shared.casework.pages.frame import Way
from shared.casework.referrals.tables import Referral
from shared.contracts.casework.codes import Role, ServicePackage
from shared.kit.db import Transaction
from shared.kit.i18n import mark as _
from shared.kit.sealed import is_shut, shut_shown

LISTED_MAX = 100  # stays of one page; a centre has some twenty beds


@dataclass(frozen=True, slots=True)
class Shown:
    """A stay with where it stands, and what happened in it, oldest first."""

    stay: Stay
    case: Case
    standing: Standing
    facts: Sequence[StayFact] = ()

    @property
    def persons(self) -> int:
        """She and whoever came along."""
        return 1 + len(self.stay.with_her or [])


@dataclass(frozen=True, slots=True)
class Centre:
    """A place with beds: how many are taken, and who stays there as far as an account may see. `taken` counts everybody."""

    facility: str
    places: int
    taken: int
    stays: Sequence[Shown]


def centres_of(here: Here, by: Actor) -> list[str]:
    """The account's places at which somebody may stay and that work by now."""
    if not commands.has_stays(here) or by.role is Role.ADMINISTRATOR:
        return []
    own = [id_ for id_, one in here.entry.facilities.items() if by.sees(id_) and not one.is_planned]
    return [id_ for id_ in own if commands.beds(here, id_) is not None]


async def centres(tx: Transaction, here: Here, by: Actor) -> list[Centre]:
    """Who stays at an account's centres, the one whose time is up first at the top. That a list told of them is kept."""
    found = []
    for facility in centres_of(here, by):
        query = (
            select(Stay, Case).join(Case, col(Case.id) == col(Stay.case_id))
            .where(col(Stay.facility) == facility, col(Stay.left_at).is_(None), scope.sees_case(by, col(Stay.case_id)))
            .order_by(col(Stay.came_at), col(Stay.id)).limit(LISTED_MAX)
        )  # fmt: skip
        with shut_shown():
            rows = (await tx.session.execute(query)).tuples().all()
        stands = await commands.standings_of(tx, here, [stay for stay, _case in rows])
        shown = sorted((Shown(stay, case, stands[stay.id]) for stay, case in rows), key=lambda one: one.standing.until_at)
        found.append((facility, shown))
    await note_listed(tx, [one.case.id for _facility, several in found for one in several if not is_shut(one.case)], by)
    taken = {facility: await commands.persons_at(tx, facility) for facility, _several in found}
    return [Centre(facility, commands.beds(here, facility) or 0, taken[facility], several) for facility, several in found]


async def at_work(tx: Transaction, here: Here, by: Actor) -> Sequence[Any]:
    """What of its stays a desk must do today: those that need a plan, or are past what was granted."""
    if not centres_of(here, by):
        return []
    return [one for centre in await centres(tx, here, by) for one in centre.stays if one.standing.alarm is not None]


async def of_case(tx: Transaction, here: Here, case: Case) -> list[Shown]:
    """The stays of a case, the newest first, each with what happened in it."""
    stays = await commands.stays_of(tx, case.id)
    stands = await commands.standings_of(tx, here, stays)
    facts: dict[UUID, list[StayFact]] = {one.id: [] for one in stays}
    query = select(StayFact).where(col(StayFact.case_id) == case.id).order_by(col(StayFact.occurred_at), col(StayFact.id))
    for fact in (await tx.session.execute(query)).scalars():
        facts[fact.stay_id].append(fact)
    return [Shown(one, case, stands[one.id], facts[one.id]) for one in reversed(stays)]


async def refusals_of(tx: Transaction, case_id: UUID) -> list[StayRefusal]:
    """When no place was free, oldest first."""
    query = (
        select(StayRefusal).where(col(StayRefusal.case_id) == case_id).order_by(col(StayRefusal.occurred_at), col(StayRefusal.id))
    )
    return list((await tx.session.execute(query)).scalars())


async def accepted(tx: Transaction, case_id: UUID) -> list[Referral]:
    """The requests of a case that another agency has accepted: what a plan may rest on."""
    query = select(Referral).where(
        col(Referral.case_id) == case_id, col(Referral.direction) == "out", col(Referral.state).in_(commands.HAS_TAKEN_HER)
    )
    return list((await tx.session.execute(query.order_by(col(Referral.issued_at)))).scalars())


async def instead_of(tx: Transaction, here: Here, facility: str, local: datetime) -> list[Place]:
    """Where else she may stay tonight: this agency's other centres, and whoever offers a safe place; people choose, and ask her."""
    others = [
        one for one in await places(tx, here, (here.agency,), facility, local)
        if one.id != facility and commands.beds(here, one.id) is not None
    ]  # fmt: skip
    return others + await places(tx, here, here.peers, facility, local, [ServicePackage.SHELTER])


async def case_ways(_tx: Transaction, here: Here, _by: Actor, case: Case) -> Sequence[Way]:
    """Where the stay of a case is."""
    return [(f"/cases/{case.id}/stay", _("Stay at the centre"))] if commands.has_stays(here) else []


def ways_here(here: Here, by: Actor) -> Sequence[Way]:
    """Who stays at the account's centres."""
    return [("/stays", _("Who stays here"))] if centres_of(here, by) else []
