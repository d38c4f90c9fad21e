"""What a restore came to, in figures and words: who has answered, what came home, and what only the lost database knew."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlmodel import col

from shared.casework.cases.tables import Case
from shared.casework.lines.local_facts import LocalFacts
from shared.casework.lines.losses import Unknown, unknown_since_restore
from shared.casework.referrals.tables import Referral
from shared.exchange.clearing import BACKUP_WINDOW
from shared.exchange.tables import UNKNOWN, OutboxRow, Peer, Recovery
from shared.kit.bodies import Body
from shared.kit.db import Transaction

ACCESS = (
    "Everybody signs in again. Disable and reset once more whichever accounts were disabled or reset after the backup, and keep"
    " them from the cases from which they were kept: the backup does not know of it."
)
LIST_MAX = 500  # cases named on one page; the figures count all


class PeerRecovery(Body):
    """One peer's part. `said_before`: words that the anchor says were numbered to it; `lost`: of these, what nobody has.

    `wordless`: of what came home, messages of which only the place is left: the backup was older than words are kept.
    """

    peer: str
    because: str
    opened_at: datetime
    answered_at: datetime | None
    said_before: int
    came_home: int
    wordless: int
    waiting: int
    lost: int


class RecoveryView(Body):
    """The last restore. `thin_cases`: numbers of cases that are known only from what was told to peers.

    `backup_days`: of a backup that was put back just now, how old it is. `unknown`: what can be said of what is lost, as long as it
    is listed.
    """

    peers: list[PeerRecovery]
    thin_cases: list[str]
    backup_days: int | None = None
    unknown: Unknown | None = None

    @property
    def is_older(self) -> bool:
        """Whether it is known to be an older copy of itself, and is not so on a peer's word alone: then everybody signs in anew."""
        return any(one.because != "peer_holds_more" for one in self.peers)

    @property
    def words(self) -> str:
        """For a terminal: one line a peer, then what has to be asked of paper or people."""
        if not self.peers:
            return "This database has not been restored."
        lines = [_line(one) for one in self.peers]
        if self.backup_days is not None and self.backup_days >= BACKUP_WINDOW.days:
            lines.append(
                f"This backup is {self.backup_days} days old, and words are kept for {BACKUP_WINDOW.days}: of older ones that it"
                " lacks only the place comes back. Put a newer backup back if there is one."
            )
        if self.thin_cases:
            lines.append(f"Known only from what was told to others, look for the paper: {', '.join(self.thin_cases)}.")
        if self.is_older:
            lines.append(ACCESS)
        lines.append("What was written here after the backup and told to nobody (notes, care given, sheets) is not recoverable.")
        if self.unknown is not None:
            lines += self.unknown.words
        return "\n".join(lines)


def _line(one: PeerRecovery) -> str:
    stands = f"answered {one.answered_at:%Y-%m-%d %H:%M} UTC" if one.answered_at else "has not answered yet"
    lost = f"; {one.lost} that were numbered are with nobody" if one.lost else ""
    old = f" ({one.wordless} without what they said: it is no longer kept)" if one.wordless else ""
    return f"{one.peer}: {stands}; {one.came_home} words of ours came home{old}, {one.waiting} wait to be put back{lost}."


async def recovery_of(tx: Transaction, kinds: Sequence[LocalFacts] = ()) -> RecoveryView:
    """The last restore of this database; without peers where there was none. `kinds`: what this kind of agency tells nobody."""
    rows = (await tx.session.execute(select(Recovery).order_by(col(Recovery.peer)))).scalars().all()
    if not rows:
        return RecoveryView(peers=[], thin_cases=[])
    unknown = await unknown_since_restore(tx, rows[0].because, kinds)  # of one restore all rows have the same reason
    return RecoveryView(peers=[await _peer(tx, row) for row in rows], thin_cases=await _thin_cases(tx), unknown=unknown)


async def backup_days(tx: Transaction) -> int | None:
    """How old a copy of the database is, in days, by when it last heard from a peer; None where it never did."""
    heard_at = (await tx.session.execute(select(func.max(col(Peer.last_heard_at))))).scalar_one()
    return None if heard_at is None else max(0, (tx.clock.now() - heard_at).days)


async def _peer(tx: Transaction, row: Recovery) -> PeerRecovery:
    mine = (col(OutboxRow.recipient) == row.peer, col(OutboxRow.returned_at) >= row.opened_at)
    home, left = await _count(tx, *mine), await _count(tx, *mine, ~col(OutboxRow.is_home))
    wordless = await _count(tx, *mine, col(OutboxRow.type) == UNKNOWN)
    ended = (col(OutboxRow.recipient) == row.peer, col(OutboxRow.incarnation) == row.ended, ~col(OutboxRow.is_forked))
    lost = max(0, row.said_before - await _count(tx, *ended)) if row.answered_at is not None and row.ended is not None else 0
    return PeerRecovery(
        peer=row.peer, because=row.because, opened_at=row.opened_at, answered_at=row.answered_at, said_before=row.said_before,
        came_home=home, wordless=wordless, waiting=left, lost=lost,
    )  # fmt: skip


async def _count(tx: Transaction, *conditions: Any) -> int:
    return int((await tx.session.execute(select(func.count()).select_from(OutboxRow).where(*conditions))).scalar_one())


async def _thin_cases(tx: Transaction) -> list[str]:
    """Cases that stand only on referrals of ours which their recipients gave back."""
    returned = select(col(OutboxRow.event_id)).where(col(OutboxRow.returned_at).is_not(None))
    query = (
        select(col(Case.number))
        .join(Referral, col(Referral.case_id) == col(Case.id))
        .where(col(Referral.direction) == "out", col(Case.is_received), col(Referral.issued_event_id).in_(returned))
        .distinct()
        .order_by(col(Case.number))
        .limit(LIST_MAX)
    )
    return list((await tx.session.execute(query)).scalars())
