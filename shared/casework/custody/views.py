"""Samples as they are shown, and how many there were. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import case as when
from sqlalchemy import func, or_, select
from sqlmodel import col

from shared.casework import scope
from shared.casework.cases.tables import Case
from shared.casework.custody.commands import chain_of, entries_of
from shared.casework.custody.domain import Act, Chain
from shared.casework.custody.tables import CustodyRow, SpecimenRow, kept_by
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

    specimen: SpecimenRow
    entries: Sequence[CustodyRow]
    chain: Chain


async def book_of(tx: Transaction, specimen: SpecimenRow, here: Here) -> Book:
    """The book of a sample; whoever asks was let in before."""
    entries = await entries_of(tx, specimen.id, here)
    return Book(specimen, sorted(entries, key=lambda one: (one.occurred_at, one.number)), chain_of(entries))


async def of_case(tx: Transaction, case_id: UUID, here: Here) -> list[SpecimenRow]:
    """The samples of a case, as they were collected."""
    table = kept_by(here).specimens
    query = select(table).where(col(table.case_id) == case_id).order_by(col(table.recorded_at), col(table.id))
    return list((await tx.session.execute(query)).scalars())


async def due(tx: Transaction, here: Here, by: Actor) -> list[tuple[SpecimenRow, Case]]:
    """Samples of the account's desks that are not sealed yet, or whose chain has a gap."""
    table = kept_by(here).specimens
    waits = or_(col(table.state) == Act.COLLECTED, col(table.has_gap))
    query = (
        select(table, Case)
        .join(Case, col(Case.id) == col(table.case_id))
        .where(waits, scope.at_desk(by, col(table.facility), col(table.case_id)))
        .order_by(col(table.recorded_at), col(table.id))
        .limit(LIST_MAX)
    )
    return list((await tx.session.execute(query)).tuples())


async def work_lines(tx: Transaction, here: Here, by: Actor) -> Sequence[tuple[str, Said]]:
    """That samples wait for a seal, or that a chain has a gap."""
    found = await due(tx, here, by)
    text = _("Samples that are not sealed yet, or whose chain has a gap: %(count)s.")
    return [("/specimens", Sentence(text, {"count": len(found)}))] if found else []


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
    async with scope.whole_agency(tx):
        table = kept_by(here).specimens
        begins, ends = here.begin_of(first), here.begin_of(until)
        places = [place for place in sorted(here.entry.facilities) if by.sees(place)]
        found = {place: PlaceSamples(place) for place in places}
        query = (
            select(
                col(table.facility), func.count(), func.sum(when((col(table.state) == Act.HANDED_OVER, 1), else_=0)),
                func.sum(when((col(table.has_gap), 1), else_=0)),
            )
            .join(Case, col(Case.id) == col(table.case_id))
            .where(COUNTED, col(table.recorded_at) >= begins, col(table.recorded_at) < ends)
            .group_by(col(table.facility))
        )  # fmt: skip
        for facility, collected, handed, gaps in (await tx.session.execute(query)).tuples():
            if facility in found:
                found[facility] = PlaceSamples(facility, collected, int(handed), int(gaps))
        return list(found.values())
