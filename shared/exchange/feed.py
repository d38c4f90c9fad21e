"""The agency's own diary of what happened, and the numbers that screens follow.

Handlers write activity rows; the relay gives each a feed_seq after its commit, so that no follower ever skips a late commit.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, text
from sqlmodel import col

from shared.exchange.outbox import insert_if_absent, on_new_rows, wake_on_commit
from shared.exchange.tables import Activity, Feed
from shared.kit.db import Database, Transaction
from shared.kit.errors import DatabaseAway
from shared.kit.sealed import Under, named

FEED_POLL_S = 0.2  # how late a line of another process may be numbered
BACK_OFF_S = 1.0  # while the database is away
FEED_GAP_S = (
    0.2  # between two numberings: one for whatever is committed meanwhile, and a page that follows is no later than by this
)
FEED_BATCH = 1_000  # rows numbered in one transaction; a page of a screen is far smaller

# One trip for the lock and one for the numbers on PostgreSQL; the portable form stands beside their use.
LOCK_FEED = "INSERT INTO exchange_feed (id, last) VALUES (1, 0) ON CONFLICT (id) DO UPDATE SET id = excluded.id"
NUMBER_FEED = """
    WITH unfed AS (
        SELECT position, row_number() OVER (ORDER BY position) AS place
        FROM (SELECT position FROM exchange_activity WHERE feed_seq IS NULL ORDER BY position LIMIT $1) AS next
    ), numbered AS (
        UPDATE exchange_activity AS a SET feed_seq = f.last + u.place FROM unfed AS u, exchange_feed AS f
        WHERE a.position = u.position AND f.id = 1
        RETURNING 1
    ), counted AS (
        UPDATE exchange_feed SET last = last + (SELECT count(*) FROM unfed) WHERE id = 1 AND EXISTS (SELECT 1 FROM unfed)
    )
    SELECT count(*) FROM numbered
"""
IS_UNFED = "SELECT 1 FROM exchange_activity WHERE feed_seq IS NULL LIMIT 1"
UNFED = select(col(Activity.position)).where(col(Activity.feed_seq).is_(None)).order_by(col(Activity.position))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the diary. `detail` holds codes only; `agency` is who said it; `facility` whose screen it belongs on.

    `key` is the name of the key that the detail lies under, where that is not the case's.
    """

    kind: str
    subject: UUID
    agency: str
    is_own: bool
    occurred_at: datetime
    case_id: UUID | None = None
    facility: str | None = None
    event_id: UUID | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    key: UUID | None = None


async def record(tx: Transaction, line: Line) -> int:
    """Adds a line and returns its position."""
    position = (
        await tx.session.execute(insert(Activity).values(named(Activity, row_of(tx, line))).returning(col(Activity.position)))
    ).scalar_one()
    wake_on_commit(tx)
    return int(position or 0)


def row_of(tx: Transaction, line: Line) -> dict[str, Any]:
    """The line's row, for a caller that puts several things into the database at once and then calls `wake_on_commit`."""
    return {
        "kind": line.kind, "subject": line.subject, "agency": line.agency, "is_own": line.is_own, "occurred_at": line.occurred_at,
        "recorded_at": tx.clock.now(), "case_id": line.case_id, "facility": line.facility, "event_id": line.event_id,
        "detail": Under(line.key or line.case_id, line.detail),
    }  # fmt: skip


async def number_feed(database: Database) -> int:
    """Gives feed_seq to what was committed since; returns how many. Any number of relays may call it at once."""
    async with database.read() as tx:
        if (await tx.connection.exec_driver_sql(IS_UNFED)).first() is None:
            return 0
    async with database.write() as tx:
        if tx.dialect == "postgresql":
            driver = await tx.driver()
            await driver.execute(LOCK_FEED)  # before the next statement looks: it sees what others have numbered
            return int(await driver.fetchval(NUMBER_FEED, FEED_BATCH))
        await tx.session.execute(insert_if_absent(tx, Feed), [{"id": 1, "last": 0}])
        last = (await tx.session.execute(text("SELECT last FROM exchange_feed WHERE id = 1"))).scalar_one()
        positions = list((await tx.session.execute(UNFED.limit(FEED_BATCH))).scalars())
        if not positions:
            return 0
        await tx.session.execute(
            text("UPDATE exchange_activity SET feed_seq = :seq WHERE position = :position"),
            [{"seq": last + 1 + i, "position": position} for i, position in enumerate(positions)],
        )
        await tx.session.execute(text("UPDATE exchange_feed SET last = :last WHERE id = 1"), {"last": last + len(positions)})
        return len(positions)


async def run_feed(database: Database, stop: asyncio.Event) -> None:
    """Numbers the feed until `stop` is set: apart from the relay, so that screens go on while the broker is away."""
    woken = asyncio.Event()
    forget = on_new_rows(woken.set)
    try:
        while not stop.is_set():
            woken.clear()
            try:
                busy = await number_feed(database)
            except DatabaseAway:
                await database.clock.sleep(BACK_OFF_S)
                continue
            if 0 < busy < FEED_BATCH:
                await database.clock.sleep(FEED_GAP_S)
            elif not busy:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), FEED_POLL_S)
    finally:
        forget()


async def lines_after(tx: Transaction, feed_seq: int, limit: int, *conditions: Any) -> list[Activity]:
    """Lines with a greater feed_seq, oldest first."""
    query = select(Activity).where(col(Activity.feed_seq) > feed_seq, *conditions).order_by(col(Activity.feed_seq)).limit(limit)
    return list((await tx.session.execute(query)).scalars())
