"""Taking a peer's statement: what its signature says it holds of ours, what it misses, and what a restore at either end made of it.

A receipt moves `delivered_at` only where its root equals our own at that place; within one life of the peer's database it never
lowers what was held: then the peer is shown its own older signature, and only the peer can tell a stale letter from a restore.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlmodel import col

from shared.contracts.wire.envelope import Inner, Kind
from shared.contracts.wire.merkle import EMPTY_ROOT
from shared.contracts.wire.statements import RECALLS_MAX, SHOWN_BYTES_MAX, Head, Lost, Recall, Receipt, Statement
from shared.exchange import said
from shared.exchange.inbox import advance_head
from shared.exchange.incarnations import current_incarnation, open_incarnation
from shared.exchange.outbox import insert_if_absent, wake_on_commit
from shared.exchange.receipts import GRACE
from shared.exchange.registry import Hooks
from shared.exchange.tables import HeldReceipt, LostSlot, MissingSlot, OutboxRow, Peer, ReceivedHead, ReceivedSlot, Recovery, Stream
from shared.kit.bulk import insert_many
from shared.kit.db import Transaction

# What every letter costs, on the driver on PostgreSQL; the portable forms stand beside their use.
HEARD_FROM = """
    INSERT INTO exchange_peers (peer, last_heard_at, incarnation) VALUES ($1, $2, $3)
    ON CONFLICT (peer) DO UPDATE SET last_heard_at = excluded.last_heard_at, incarnation = excluded.incarnation
"""
DELIVER = """
    UPDATE exchange_outbox SET delivered_at = $5, is_due = false
    WHERE recipient = $1 AND incarnation = $2 AND seq BETWEEN $3 AND $4 AND NOT is_forked AND delivered_at IS NULL
    RETURNING event_id, is_withheld
"""

REOPEN_AGAIN = timedelta(hours=1)  # a peer whose roots are wrong may make us open a new life this often; else it is an alarm


@dataclass(slots=True)
class Owed:
    """What the next statement to a peer must hold beside where the streams stand; nothing of it is stored: the peer asks again."""

    gone: set[UUID] = field(default_factory=set)
    recalls: list[Recall] = field(default_factory=list)
    lost: dict[UUID, set[int]] = field(default_factory=dict)
    returns: list[Recall] = field(default_factory=list)
    shown: bytes | None = None
    is_home: bool = False  # nothing more is asked back: what came home may be applied

    def merge(self, other: "Owed") -> None:
        """Adds what another statement asked for; the newest recalls stand."""
        self.gone |= other.gone
        self.recalls, self.shown = other.recalls, other.shown
        for incarnation, slots in other.lost.items():
            self.lost.setdefault(incarnation, set()).update(slots)
        self.returns = list(dict.fromkeys([*self.returns, *other.returns]))
        self.is_home = other.is_home

    def asks_back(self, incarnation: UUID, seq: int) -> bool:
        """Whether a slot of ours is among those that the statement shows to be held there and not here."""
        return any(one.incarnation == incarnation and one.first <= seq <= one.last for one in self.recalls)

    @property
    def is_anything(self) -> bool:
        """Whether the peer waits for a word of ours."""
        return bool(self.gone or self.recalls or self.lost or self.returns or self.shown)


@dataclass(frozen=True, slots=True)
class Ears:
    """Who takes a statement: this agency, its peers (whom a new life is told to), and what it wants to be told."""

    agency: str
    peers: tuple[str, ...]
    hooks: Hooks


async def take_statement(tx: Transaction, ears: Ears, inner: Inner, statement: Statement, own: Inner | None = None) -> Owed:
    """Takes a peer's statement in; `own` is the opened `shown`. Returns what the peer is owed."""
    peer, owed = inner.header.sender, Owed()
    await _heard_from(tx, peer, inner.header.incarnation)
    if own is not None and await _was_held(tx, ears.agency, peer, own):
        await open_incarnation(tx, ears.peers, "own_signature")
        await ears.hooks.trouble("reopened", peer, {"because": "own_signature"}, tx)
    for receipt in statement.receipts:
        await _take_receipt(tx, ears, inner, statement.made_at, receipt, owed)
    for head in statement.heads:  # after what touches referrals: heads are locked last of all, as in a batch
        await _note_head(tx, peer, head)
    for word in statement.lost:
        if word.incarnation != inner.header.incarnation:  # numbers of a living stream are never lost: the sender has them
            await _take_lost(tx, peer, word)
    owed.gone |= set(await answer_enquiries(tx, peer, statement.enquiries)) if statement.enquiries else set()
    owed.returns += statement.recalls
    # The short form holds no receipts: it cannot say that nothing more is to be asked back.
    owed.is_home = statement.summary is None and not owed.recalls and await _waits_for_home(tx, peer)
    if not owed.recalls and not owed.is_home:
        await _note_answer(tx, peer, statement)
    return owed


async def _heard_from(tx: Transaction, peer: str, incarnation: UUID) -> None:
    if tx.dialect == "postgresql":
        await tx.flush()
        await (await tx.driver()).execute(HEARD_FROM, peer, tx.clock.now(), incarnation)
        return
    await tx.session.execute(insert_if_absent(tx, Peer), [{"peer": peer}])
    values = {"last_heard_at": tx.clock.now(), "incarnation": incarnation}
    await tx.session.execute(update(Peer).where(col(Peer.peer) == peer).values(**values))


async def _was_held(tx: Transaction, agency: str, peer: str, own: Inner) -> bool:
    """Whether our own older signature says that we held, or had said, more than this database knows: it is an older copy."""
    if own.header.kind is not Kind.STATEMENT or own.header.sender != agency:
        return False
    if own.header.incarnation != await current_incarnation(tx):
        return False
    earlier = Statement.model_validate_json(own.content)
    for receipt in earlier.receipts:
        head = await tx.session.get(ReceivedHead, (peer, receipt.incarnation), populate_existing=True)
        if (head.upto if head is not None else 0) < receipt.upto:
            return True
    for said_so in earlier.heads:
        stream = await tx.session.get(Stream, (peer, said_so.incarnation), populate_existing=True)
        if (stream.size if stream is not None else 0) < said_so.size:
            return True
    return False


async def _note_head(tx: Transaction, peer: str, head: Head) -> None:
    key = {"sender": peer, "incarnation": head.incarnation, "upto": 0, "held": 0, "frontier": b"", "highest": 0, "announced": 0}
    await tx.session.execute(insert_if_absent(tx, ReceivedHead), [key])
    mine = (col(ReceivedHead.sender) == peer, col(ReceivedHead.incarnation) == head.incarnation)
    # The first time of an announced size is kept until it is reached, so that its grace period ends.
    await tx.session.execute(
        update(ReceivedHead)
        .where(*mine, col(ReceivedHead.announced) < head.size)
        .where(
            or_(col(ReceivedHead.upto) >= col(ReceivedHead.announced), col(ReceivedHead.announced_at) <= tx.clock.real() - GRACE)
        )
        .values(announced=head.size, announced_at=tx.clock.real())
    )


async def _take_receipt(tx: Transaction, ears: Ears, inner: Inner, made_at: datetime, receipt: Receipt, owed: Owed) -> None:
    peer, hooks = inner.header.sender, ears.hooks
    held = await _held(tx, peer, inner.header.incarnation, receipt.incarnation)
    if receipt.upto < held.upto:
        owed.shown = held.signed if len(held.signed) <= SHOWN_BYTES_MAX else None
        return
    found = await _compare(tx, ears, peer, receipt, held)
    owed.recalls = [*owed.recalls, *found.recalls][:RECALLS_MAX]
    for part in found.proved:
        await _deliver(tx, peer, receipt.incarnation, part.first, part.last, hooks)
    if receipt.missing:
        await _send_again(tx, peer, receipt, owed)
    if not found.is_equal:
        return
    await _deliver(tx, peer, receipt.incarnation, held.upto + 1, receipt.upto, hooks)
    held.upto, held.root, held.made_at, held.signed, held.parked = (
        receipt.upto,
        receipt.root,
        made_at,
        inner.raw,
        list(receipt.parked),
    )
    await tx.session.flush()


async def _compare(tx: Transaction, ears: Ears, peer: str, receipt: Receipt, held: HeldReceipt) -> said.Comparison:
    if is_living := receipt.incarnation == await current_incarnation(tx):
        found = await said.compare_living(tx, peer, receipt)
        if not found.holds_more:
            return found
        if not await _may_reopen(tx):
            await ears.hooks.trouble("root_mismatch", peer, {"incarnation": str(receipt.incarnation), "upto": receipt.upto}, tx)
            return found
        await open_incarnation(tx, ears.peers, "peer_holds_more")
        await ears.hooks.trouble("reopened", peer, {"because": "peer_holds_more"}, tx)
    elif (receipt.upto, receipt.root, receipt.ranges) == (held.upto, held.root, ()):
        return said.Comparison(True)  # as it was last time: a whole life is not read again for every letter
    found = await said.compare_ended(tx, peer, receipt, await _agreed(tx, peer, receipt.incarnation))
    if found.holds_more and not is_living:
        await ears.hooks.trouble("reopened", peer, {"because": "peer_holds_more"}, tx)
    return found


async def _may_reopen(tx: Transaction) -> bool:
    query = select(func.count()).where(
        col(Recovery.because) == "peer_holds_more", col(Recovery.opened_at) > tx.clock.now() - REOPEN_AGAIN
    )
    return not (await tx.session.execute(query)).scalar_one()


async def _agreed(tx: Transaction, peer: str, incarnation: UUID) -> int:
    query = select(func.max(col(HeldReceipt.upto))).where(
        col(HeldReceipt.peer) == peer, col(HeldReceipt.incarnation) == incarnation
    )
    return int((await tx.session.execute(query)).scalar_one() or 0)


async def _held(tx: Transaction, peer: str, peer_incarnation: UUID, incarnation: UUID) -> HeldReceipt:
    key: dict[str, Any] = {"peer": peer, "peer_incarnation": peer_incarnation, "incarnation": incarnation}
    blank = {**key, "upto": 0, "root": EMPTY_ROOT, "made_at": tx.clock.now(), "signed": b"", "parked": []}
    await tx.session.execute(insert_if_absent(tx, HeldReceipt), [blank])
    query = select(HeldReceipt).where(*(getattr(HeldReceipt, name) == value for name, value in key.items()))
    return (await tx.session.execute(query.with_for_update().execution_options(populate_existing=True))).scalar_one()


async def _deliver(tx: Transaction, peer: str, incarnation: UUID, first: int, last: int, hooks: Hooks) -> None:
    if last < first:
        return
    now = tx.clock.now()
    covered = await _cover(tx, peer, incarnation, first, last, now)
    # What was withheld took its slot and told nothing: its receipt proves nothing about the event.
    events = [event_id for event_id, is_withheld in covered if not is_withheld]
    if events:
        await hooks.delivered(events, now, tx)


async def _cover(
    tx: Transaction, peer: str, incarnation: UUID, first: int, last: int, now: datetime
) -> Sequence[tuple[UUID, bool]]:
    if tx.dialect == "postgresql":
        await tx.flush()
        return [tuple(row) for row in await (await tx.driver()).fetch(DELIVER, peer, incarnation, first, last, now)]
    query = (
        update(OutboxRow)
        .where(*said.slots(peer, incarnation, first, last), col(OutboxRow.delivered_at).is_(None))
        .values(delivered_at=now, is_due=False)
        .returning(col(OutboxRow.event_id), col(OutboxRow.is_withheld))
    )
    return (await tx.session.execute(query)).tuples().all()


async def _send_again(tx: Transaction, peer: str, receipt: Receipt, owed: Owed) -> None:
    """What the peer misses is due again; what nobody has any more, of an ended life only, is stated lost."""
    known = await said.known_slots(tx, peer, receipt.incarnation, receipt.missing)
    here = (col(OutboxRow.recipient) == peer, col(OutboxRow.incarnation) == receipt.incarnation, col(OutboxRow.seq).in_(known))
    await tx.session.execute(update(OutboxRow).where(*here, col(OutboxRow.is_forked).is_(False)).values(is_due=True))
    wake_on_commit(tx)
    if known != set(receipt.missing) and receipt.incarnation != await current_incarnation(tx):
        owed.lost.setdefault(receipt.incarnation, set()).update(set(receipt.missing) - known)


async def _take_lost(tx: Transaction, peer: str, word: Lost) -> None:
    held = select(col(ReceivedSlot.seq)).where(
        col(ReceivedSlot.sender) == peer, col(ReceivedSlot.incarnation) == word.incarnation, col(ReceivedSlot.seq).in_(word.slots)
    )
    fresh = sorted(set(word.slots) - {int(seq) for seq in (await tx.session.execute(held)).scalars()})
    rows = [{"sender": peer, "incarnation": word.incarnation, "seq": seq, "stated_at": tx.clock.now()} for seq in fresh]
    await insert_many(tx, LostSlot, rows, absent_only=True)
    await advance_head(tx, peer, word.incarnation)


async def answer_enquiries(tx: Transaction, peer: str, enquiries: Sequence[UUID]) -> tuple[UUID, ...]:
    """Sends again what was numbered; returns the ids that this agency never said to `peer`, to be stated gone."""
    query = select(col(OutboxRow.event_id), col(OutboxRow.position), col(OutboxRow.seq)).where(
        col(OutboxRow.recipient) == peer, col(OutboxRow.event_id).in_(enquiries)
    )
    rows = (await tx.session.execute(query)).tuples().all()
    numbered = [position for _, position, seq in rows if seq is not None]
    await tx.session.execute(update(OutboxRow).where(col(OutboxRow.position).in_(numbered)).values(is_due=True))
    wake_on_commit(tx)
    known = {event_id for event_id, _, _ in rows}
    return tuple(event_id for event_id in enquiries if event_id not in known)


async def _waits_for_home(tx: Transaction, peer: str) -> bool:
    query = select(col(OutboxRow.position)).where(col(OutboxRow.recipient) == peer, col(OutboxRow.is_home).is_(False)).limit(1)
    return (await tx.session.execute(query)).first() is not None


async def _note_answer(tx: Transaction, peer: str, statement: Statement) -> None:
    """A peer has answered a restore when it knows of our new life, holds no word of ours that we lack, and we hold all it said."""
    row = await tx.session.get(Recovery, peer, populate_existing=True)
    if row is None or row.answered_at is not None or statement.knows != row.incarnation:
        return
    for head in statement.heads:
        held = await tx.session.get(ReceivedHead, (peer, head.incarnation), populate_existing=True)
        if (held is None or held.upto < head.size) and await settled_slots(tx, peer, head.incarnation) < head.size:
            return
    row.answered_at = tx.clock.now()
    await tx.session.flush()


async def settled_slots(tx: Transaction, peer: str, incarnation: UUID) -> int:
    """How many slots of a stream are held, lost, or given up because they cannot be opened: those never come, and are alarmed."""
    total = 0
    for table in (ReceivedSlot, LostSlot, MissingSlot):
        query = select(func.count()).select_from(table).where(col(table.sender) == peer, col(table.incarnation) == incarnation)
        if table is MissingSlot:
            held = select(col(ReceivedSlot.seq)).where(
                col(ReceivedSlot.sender) == peer, col(ReceivedSlot.incarnation) == incarnation
            )
            query = query.where(col(MissingSlot.is_parked), col(MissingSlot.seq).not_in(held))
        total += int((await tx.session.execute(query)).scalar_one())
    return total
