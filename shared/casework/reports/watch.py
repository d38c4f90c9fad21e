"""On the watcher's clock: a report that a desk needs before a suspect is released raises an alarm there, once for each limit."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from shared.casework.alarms.commands import raise_alarm
from shared.casework.alarms.tables import Alarm
from shared.casework.here import Here
from shared.casework.referrals.tables import Referral
from shared.casework.reports.domain import WARNED_BEFORE, Step
from shared.casework.reports.records import LIMIT
from shared.casework.reports.tables import Report
from shared.contracts.casework.codes import Urgency
from shared.kit.db import Database, Transaction

BATCH = 200  # read at once
LOOKED_BACK = timedelta(days=31)  # a limit that passed longer ago is warned of no more: whoever was held is free


async def watch(database: Database, here: Here) -> None:
    """One tick."""
    async with database.read() as tx:
        untold = await _untold(tx)
    for report_id in untold:
        await _raise(database, here, report_id)


async def _untold(tx: Transaction) -> list[UUID]:
    """The reports of which a desk is to be warned and was not; those of long ago, which nobody took, hold none of them up."""
    now, last, found = tx.clock.now(), UUID(int=0), []
    while True:
        query = (
            select(col(Report.id), col(Report.limit_at))
            .where(
                col(Report.limit_at) <= now + WARNED_BEFORE, col(Report.limit_at) >= now - LOOKED_BACK, col(Report.id) > last,
                col(Report.status) != Step.COLLECTED,
            )
            .order_by(col(Report.id))
            .limit(BATCH)
        )  # fmt: skip
        due = {id_: limit for id_, limit in (await tx.session.execute(query)).tuples() if limit is not None}
        told = select(col(Alarm.about), col(Alarm.raised_at)).where(col(Alarm.kind) == LIMIT, col(Alarm.about).in_(due))
        known = {about for about, at in (await tx.session.execute(told)).tuples() if due and at >= due[about] - WARNED_BEFORE}
        found += sorted(due.keys() - known)
        if len(due) < BATCH:
            return found
        last = max(due)


async def _raise(database: Database, here: Here, report_id: UUID) -> None:
    async with database.write() as tx:
        query = select(Report).where(col(Report.id) == report_id).with_for_update().execution_options(populate_existing=True)
        report = (await tx.session.execute(query)).scalar_one_or_none()
        if report is None or report.limit_at is None or report.status == Step.COLLECTED:
            return
        referral = await tx.session.get(Referral, report.referral_id) if report.referral_id is not None else None
        desk = referral.desk if referral is not None else report.facility
        await raise_alarm(tx, here, LIMIT, report.id, desk, Urgency.URGENT, report.case_id)
