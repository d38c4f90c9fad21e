"""A place is closed for good, or is about to be taken: its cases' circles are told that nobody is there any more, and nobody else.

Nothing of anybody is in it, and nothing of where she went. What is open there stays as it stands: others decide on their own.
"""

from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import col

from shared.casework import scope, sharing
from shared.casework.cases.commands import Form
from shared.casework.cases.tables import Case
from shared.casework.circles.commands import told_members, word_to
from shared.casework.here import Actor, Here
from shared.contracts.casework import events
from shared.exchange import feed, outbox
from shared.kit.db import Transaction
from shared.kit.errors import NotFound


class ClosePlace(Form):
    """Which of this agency's places."""

    facility: events.FacilityId


@dataclass(frozen=True, slots=True)
class Told:
    """How many cases' circles were told, and which agencies are in any of them."""

    cases: int
    agencies: tuple[str, ...]


async def close_place(command: ClosePlace, tx: Transaction, here: Here, by: Actor) -> Told:
    """Tells every agency that is in the circle of a case of this place, as far as consent holds; raises NotFound, Forbidden."""
    by.may_supervise()
    by.may_work()
    here.facility(command.facility)
    if not by.sees(command.facility):
        raise NotFound("There is nothing at this address.")
    async with scope.whole_agency(tx):
        query = (
            select(Case).where(col(Case.facility) == command.facility, col(Case.is_received).is_(False)).order_by(col(Case.circle))
        )
        cases = list((await tx.session.execute(query)).scalars())
        await outbox.lock_subjects(tx, [case.circle for case in cases])
        now, told = tx.clock.now(), []
        for case in cases:
            members = await told_members(tx, case.circle)
            releases = await sharing.releases(tx, here, case.id, members)
            fact = events.CirclePlaceClosed(facility=command.facility)
            words = [word_to(case, peer, release.consent_id, fact, now) for peer, release in releases.items()]
            for word in words:
                await outbox.add(tx, word)
            if words:
                told.append([word.recipient for word in words])
                line = feed.Line(
                    kind=fact.type, subject=case.circle, agency=here.agency, is_own=True, occurred_at=now, case_id=case.id,
                    facility=case.facility, event_id=words[-1].event_id, detail=events.data_of(fact),
                )  # fmt: skip
                await feed.record(tx, line)
        return Told(len(told), tuple(sorted({peer for peers in told for peer in peers})))
