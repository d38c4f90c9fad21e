"""Released figures are told to the oversight body as they were released, in the same transaction; what it has not been told yet,
because it joined later, is found here for the watcher (on_time.py).
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from shared.casework import homecoming
from shared.casework.figures.cells import packed, unpacked
from shared.casework.figures.domain import CUBES, formulas_of, span
from shared.casework.figures.tables import FigureRelease
from shared.casework.here import Here
from shared.casework.own_words import subject_of
from shared.contracts.casework import events
from shared.exchange import outbox
from shared.exchange.registry import Returned
from shared.exchange.tables import OutboxRow
from shared.kit.db import Transaction
from shared.kit.ids import new_id

NOBODY = UUID(int=0)  # who released it: the clock, or somebody whose name was lost
CHAINS = {cube.id: cube.chain for cube in CUBES}
RELEASES_TOLD = timedelta(days=730)  # what lies further back is no news to whoever joins: two years, as pages show them


def _word(here: Here, release: FigureRelease) -> events.FiguresReleased:
    return events.FiguresReleased(
        period=release.period, release=release.number, programme=here.programme.id, formulas=formulas_of(release.shown),
        cubes=packed(release.shown, CHAINS),
    )  # fmt: skip


async def tell_release(tx: Transaction, here: Here, release: FigureRelease) -> None:
    """Tells a release to every oversight body that has not been told it."""
    if not here.overseers:
        return
    word = _word(here, release)
    subject = subject_of(here.agency, word)
    await outbox.lock_subjects(tx, [subject])
    for recipient in here.overseers:
        known = select(col(OutboxRow.event_id)).where(col(OutboxRow.subject) == subject, col(OutboxRow.recipient) == recipient)
        if (await tx.session.execute(known.limit(1))).first() is None:
            await outbox.add(
                tx,
                outbox.Outgoing(recipient=recipient, type=word.type, dataversion=word.version, subject=subject, lane_key=subject,
                                data=events.data_of(word), occurred_at=release.released_at),
            )  # fmt: skip


async def untold(tx: Transaction, here: Here) -> list[FigureRelease]:
    """Releases of cubes of the last two years that an oversight body has not been told."""
    now: datetime = tx.clock.now()
    query = (
        select(FigureRelease).where(col(FigureRelease.released_at) > now - RELEASES_TOLD).order_by(col(FigureRelease.released_at))
    )
    cubes = [row for row in (await tx.session.execute(query)).scalars() if not span(row.period).is_year]
    rows = {subject_of(here.agency, _word(here, row)): row for row in cubes}
    told = select(col(OutboxRow.subject), col(OutboxRow.recipient)).where(col(OutboxRow.type) == events.FiguresReleased.type)
    known = set((await tx.session.execute(told)).tuples())
    return [row for subject, row in rows.items() if any((subject, one) not in known for one in here.overseers)]


async def _released_again(_recipient: str, fact: events.Event, word: Returned, tx: Transaction, _here: Here) -> bool:
    """What was published is known again; what was counted behind it is not, so nothing is compared with it any more."""
    assert isinstance(fact, events.FiguresReleased)
    query = select(FigureRelease).where(col(FigureRelease.period) == fact.period, col(FigureRelease.number) == fact.release)
    known = (await tx.session.execute(query)).scalar_one_or_none()
    if known is not None and known.shown != unpacked(fact.cubes):  # made again before this came: nothing is compared with it
        known.counted = None
        await tx.session.flush()
    if known is None:
        tx.session.add(
            FigureRelease(id=new_id(), period=fact.period, number=fact.release, shown=unpacked(fact.cubes), counted=None,
                          released_by=NOBODY, released_at=word.occurred_at),
        )  # fmt: skip
        await tx.session.flush()
    return True


homecoming.comes_home(events.FiguresReleased, _released_again)
