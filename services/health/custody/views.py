"""Samples as they are shown, and how many there were. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import case as when
from sqlalchemy import func, or_, select
from sqlmodel import col

from services.health.custody.commands import chain_of, entries_of
from services.health.custody.domain import Act, Chain
from services.health.custody.tables import CustodyEntry, Specimen
from shared.casework import scope
from shared.casework.cases.tables import Case
from shared.casework.figures.reading import COUNTED
from shared.casework.here import Actor, Here
from shared.casework.pages.frame import Way
from shared.casework.work.views import LIST_MAX
from shared.kit.db import Transaction
from shared.kit.errors import Said, Sentence
from shared.kit.i18n import mark as _


@dataclass(frozen=True, slots=True)
class Book:
    """One sample with its book, by the own times of its lines, and what they come to."""

    specimen: Specimen
    entries: Sequence[CustodyEntry]
    chain: Chain


async def book_of(tx: Transaction, specimen: Specimen) -> Book:
    """The book of a sample; whoever asks was let in before."""
    entries = await entries_of(tx, specimen.id)
    return Book(specimen, sorted(entries, key=lambda one: (one.occurred_at, one.number)), chain_of(entries))


async def of_case(tx: Transaction, case_id: UUID) -> list[Specimen]:
    """The samples of a case, as they were collected."""
    query = select(Specimen).where(col(Specimen.case_id) == case_id).order_by(col(Specimen.recorded_at), col(Specimen.id))
    return list((await tx.session.execute(query)).scalars())


async def due(tx: Transaction, by: Actor) -> list[tuple[Specimen, Case]]:
    """Samples of the account's desks that are not sealed yet, or whose chain has a gap."""
    waits = or_(col(Specimen.state) == Act.COLLECTED, col(Specimen.has_gap))
    query = (
        select(Specimen, Case)
        .join(Case, col(Case.id) == col(Specimen.case_id))
        .where(waits, scope.at_desk(by, col(Specimen.facility), col(Specimen.case_id)))
        .order_by(col(Specimen.recorded_at), col(Specimen.id))
        .limit(LIST_MAX)
    )
    return list((await tx.session.execute(query)).tuples())


async def work_lines(tx: Transaction, _here: Here, by: Actor) -> Sequence[tuple[str, Said]]:
    """That samples wait for a seal, or that a chain has a gap."""
    found = await due(tx, by)
    text = _("Samples that are not sealed yet, or whose chain has a gap: %(count)s.")
    return [("/waits", Sentence(text, {"count": len(found)}))] if found else []


async def case_ways(_tx: Transaction, _here: Here, _by: Actor, case: Case) -> Sequence[Way]:
    """Where the samples of a case are."""
    return [(f"/cases/{case.id}/specimens", _("Samples and their custody"))]


@dataclass(frozen=True, slots=True)
class PlaceSamples:
    """Samples of one place that were written down in a period: how many, handed over by now, and with a gap in the chain."""

    facility: str
    collected: int = 0
    handed_over: int = 0
    with_gap: int = 0


async def figures(tx: Transaction, here: Here, by: Actor, first: date, until: date) -> list[PlaceSamples]:
    """Of each place of the account, `until` not among the days; for supervisors. No case is opened for it."""
    by.may_let_out()
    await scope.for_the_agency(tx)
    begins, ends = here.begin_of(first), here.begin_of(until)
    places = [place for place in sorted(here.entry.facilities) if by.sees(place)]
    found = {place: PlaceSamples(place) for place in places}
    query = (
        select(
            col(Specimen.facility), func.count(), func.sum(when((col(Specimen.state) == Act.HANDED_OVER, 1), else_=0)),
            func.sum(when((col(Specimen.has_gap), 1), else_=0)),
        )
        .join(Case, col(Case.id) == col(Specimen.case_id))
        .where(COUNTED, col(Specimen.recorded_at) >= begins, col(Specimen.recorded_at) < ends)
        .group_by(col(Specimen.facility))
    )  # fmt: skip
    for facility, collected, handed, gaps in (await tx.session.execute(query)).tuples():
        if facility in found:
            found[facility] = PlaceSamples(facility, collected, int(handed), int(gaps))
    return list(found.values())
