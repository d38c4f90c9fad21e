"""On the watcher's clock: a stay that needs a plan raises an alarm at the centre, one past its time at the supervisor's post.

An alarm is all that happens: no stay ends here.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlmodel import col

from services.police.stays.commands import has_stays, standings_of
from services.police.stays.domain import NEEDS_PLAN, OVER_LIMIT
from services.police.stays.tables import Stay
from shared.casework.alarms.commands import clear, raise_alarm
from shared.casework.alarms.tables import Alarm
from shared.casework.here import Here
from shared.contracts.casework.codes import Urgency
from shared.kit.db import Database, Transaction

KINDS = frozenset({NEEDS_PLAN, OVER_LIMIT})


async def watch(database: Database, here: Here) -> None:
    """One tick. Beds are few: every stay that goes on is looked at, and written about only where something is new."""
    if not has_stays(here):
        return
    async with database.read() as tx:
        due = await _due(tx, here)
    for stay_id in due:
        await _tell(database, here, stay_id)


async def _due(tx: Transaction, here: Here) -> list[UUID]:
    stays = list((await tx.session.execute(select(Stay).where(col(Stay.left_at).is_(None)))).scalars())
    known = await _known(tx, here, [one.id for one in stays], tx.clock.now())
    stands = await standings_of(tx, here, stays)
    return sorted(id_ for id_, told in known.items() if _is_new(stands[id_].alarm, told))


def _is_new(kind: str | None, told: dict[str, bool]) -> bool:
    """Whether an alarm is to be raised, or one that is open is over."""
    return (kind is not None and kind not in told) or any(is_open and other != kind for other, is_open in told.items())


async def _known(tx: Transaction, here: Here, stays: list[UUID], now: datetime) -> dict[UUID, dict[str, bool]]:
    """Of which alarms a post knows, and which are open: of one that somebody resolved lately by hand it knows for a while."""
    rest = now - here.programme.limits.ladder_step_h.of(Urgency.URGENT)
    by_hand = and_(col(Alarm.resolved_at) > rest, col(Alarm.resolved_by).is_not(None))
    query = select(col(Alarm.about), col(Alarm.kind), col(Alarm.resolved_at)).where(
        col(Alarm.about).in_(stays), col(Alarm.kind).in_(KINDS), or_(col(Alarm.resolved_at).is_(None), by_hand)
    )
    found: dict[UUID, dict[str, bool]] = {id_: {} for id_ in stays}
    for about, kind, resolved_at in (await tx.session.execute(query)).tuples() if stays else ():
        found[about][kind] = found[about].get(kind, False) or resolved_at is None
    return found


async def _tell(database: Database, here: Here, stay_id: UUID) -> None:
    """Each stay is decided again under its own lock."""
    async with database.write() as tx:
        query = select(Stay).where(col(Stay.id) == stay_id, col(Stay.left_at).is_(None)).with_for_update()
        stay = (await tx.session.execute(query.execution_options(populate_existing=True))).scalar_one_or_none()
        if stay is None:
            return
        kind = (await standings_of(tx, here, [stay]))[stay.id].alarm
        await clear(tx, here, stay.id, set(KINDS - {kind or ""}))
        if kind is not None and kind not in (await _known(tx, here, [stay.id], tx.clock.now()))[stay.id]:
            await raise_alarm(
                tx, here, kind, stay.id, stay.facility, Urgency.URGENT, stay.case_id, to_supervisor=kind == OVER_LIMIT
            )  # fmt: skip
