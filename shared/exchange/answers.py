"""Taking a peer's statement: what its signature says it holds of ours, what it misses, and what a restore at either end made of it.

A receipt moves `delivered_at` only where its root equals our own at that place; within one life of the peer's database it never
lowers what was held: then the peer is shown its own older signature, and only the peer can tell a stale letter from a restore.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import case, delete, false, func, or_, select, update
from sqlmodel import col

from shared.contracts.wire.envelope import Inner, Kind
from shared.contracts.wire.merkle import EMPTY_ROOT
from shared.contracts.wire.statements import (
    RECALLS_MAX,
    SHOWN_BYTES_MAX,
    Cleared,
    Head,
    HeldRange,
    Lost,
    Recall,
    Receipt,
    Statement,
)
from shared.exchange import inside, said, witness
from shared.exchange.heads import advance_head, is_room_for_life, keep_fork, take_wordless
from shared.exchange.incarnations import current_incarnation, open_incarnation
from shared.exchange.outbox import insert_if_absent, wake_on_commit
from shared.exchange.receipts import GRACE
from shared.exchange.registry import Hooks
from shared.exchange.tables import (
    HeldReceipt,
    InboxState,
    LostSlot,
    MissingSlot,
    OutboxRow,
    Peer,
    ReceivedHead,
    ReceivedSlot,
    Recovery,
    Stream,
)
from shared.kit.bulk import insert_many
from shared.kit.db import Transaction
from shared.kit.sealed import Under

RECEIPTS_MAX = 100  # signatures kept under one stream, one for each life of the peer's that gave one: as many as a letter tells of
LOST_SLOTS_MAX = 100_000  # of one peer: what both ends lost, on the peer's word; a restore at both loses some hundreds

# What every letter costs, on the driver on PostgreSQL; the portable forms stand beside their use.
HEARD_FROM = """
    INSERT INTO exchange_peers AS p (peer, last_heard_at, incarnation, spoke_at, whole_since, knows_lines, knows_since)
    VALUES ($1, $2, $3, $4, $2, coalesce($6::integer, 0), $2)
    ON CONFLICT (peer) DO UPDATE SET
        knows_lines = CASE WHEN p.incarnation IS DISTINCT FROM excluded.incarnation OR $6 > p.knows_lines
            OR $6 < p.knows_lines AND $4 > p.knows_since
            THEN excluded.knows_lines ELSE p.knows_lines END,
        knows_since = CASE WHEN p.incarnation IS DISTINCT FROM excluded.incarnation OR $6 > p.knows_lines
            OR $6 < p.knows_lines AND $4 > p.knows_since
            THEN excluded.last_heard_at ELSE coalesce(p.knows_since, excluded.last_heard_at) END,
        last_heard_at = excluded.last_heard_at, incarnation = excluded.incarnation,
        spoke_at = greatest(p.spoke_at, excluded.spoke_at),
        whole_since = CASE WHEN $5::boolean OR p.incarnation IS DISTINCT FROM excluded.incarnation
            THEN excluded.last_heard_at ELSE coalesce(p.whole_since, excluded.last_heard_at) END
"""
# `COALESCE` so that no index of what is undelivered answers it: over a backlog a letter would walk all of that, where numbers are
# known.
NOT_YET = func.coalesce(col(OutboxRow.delivered_at).is_(None), false())
DELIVER = """
    UPDATE exchange_outbox SET delivered_at = $5, is_due = false
    WHERE recipient = $1 AND incarnation = $2 AND seq BETWEEN $3 AND $4 AND NOT is_forked AND COALESCE(delivered_at IS NULL, false)
    RETURNING event_id, is_withheld
"""

REOPEN_AGAIN = timedelta(hours=1)  # a peer whose roots are wrong may make us open a new life this often; else it is an alarm


@dataclass(slots=True)
class Owed:
    """What the next statement to a peer must hold beside where the streams stand; nothing of it is stored: the peer asks again."""

    gone: set[UUID] = field(default_factory=set)
    recalls: list[Recall] = field(default_factory=list)
    lost: dict[UUID, set[int]] = field(default_factory=dict)
    cleared: set[Cleared] = field(default_factory=set)
    returns: list[Recall] = field(default_factory=list)
    shown: bytes | None = None
    is_home: bool = False  # nothing more is asked back: what came home may be applied

    def merge(self, other: "Owed") -> None:
        """Adds what another statement asked for; the newest recalls stand."""
        self.gone |= other.gone
        self.recalls, self.shown = other.recalls, other.shown
        for incarnation, slots in other.lost.items():
            self.lost.setdefault(incarnation, set()).update(slots)
        self.cleared |= other.cleared
        self.returns = list(dict.fromkeys([*self.returns, *other.returns]))
        self.is_home = other.is_home

    def asks_back(self, incarnation: UUID, seq: int) -> bool:
        """Whether a slot of ours is among those that the statement shows to be held there and not here."""
        return any(one.incarnation == incarnation and one.first <= seq <= one.last for one in self.recalls)

    @property
    def is_anything(self) -> bool:
        """Whether the peer waits for a word of ours."""
        return bool(self.gone or self.recalls or self.lost or self.cleared or self.returns or self.shown)


@dataclass(frozen=True, slots=True)
class Ears:
    """Who takes a statement: this agency, its peers (whom a new life is told to), what it wants to be told, and what it keeps in
    memory alone."""

    agency: str
    peers: tuple[str, ...]
    hooks: Hooks
    last_signed: inside.LastSigned = field(default_factory=dict)


async def take_statement(tx: Transaction, ears: Ears, inner: Inner, statement: Statement, own: Inner | None = None) -> Owed:
    """Takes a peer's statement in; `own` is the opened `shown`. Returns what the peer is owed."""
    peer, owed = inner.header.sender, Owed()
    await _heard_from(tx, inner, statement)
    if own is not None and await _was_held(tx, ears.agency, peer, own):
        await open_incarnation(tx, ears.peers, "own_signature")
        await ears.hooks.is_older(tx)
        await ears.hooks.trouble("reopened", peer, {"because": "own_signature"}, tx)
    for receipt in statement.receipts:
        await _take_receipt(tx, ears, inner, statement.made_at, receipt, owed)
    for head in statement.heads:  # after what touches referrals: heads are locked last of all, as in a batch
        await _note_head(tx, ears.hooks, peer, head)
    await witness.take_heads(tx, ears.hooks, inner, statement)
    await inside.take_cosigned(tx, ears.hooks, inner, statement, ears.last_signed)
    for word in statement.lost:
        if word.incarnation != inner.header.incarnation:  # numbers of a living stream are never lost: the sender has them
            await _take_lost(tx, ears.hooks, peer, word)
    if statement.cleared:
        await _take_cleared(tx, ears, inner, statement)
    if statement.enquiries:
        await _answer_enquiries(tx, peer, statement.enquiries, owed)
    if any(not one.is_erased for one in owed.cleared):
        await ears.hooks.trouble("cleared", peer, {}, tx)
    owed.returns += statement.recalls
    # The short form holds no receipts: it cannot say that nothing more is to be asked back.
    owed.is_home = statement.summary is None and not owed.recalls and await _waits_for_home(tx, peer)
    if not owed.recalls and not owed.is_home:
        await _note_answer(tx, peer, statement)
    return owed


async def _heard_from(tx: Transaction, inner: Inner, statement: Statement) -> None:
    """Notes when a peer spoke and from which life; whether it is whole, only a statement of where it stands shows."""
    peer, incarnation, now = inner.header.sender, inner.header.incarnation, tx.clock.now()
    if tx.dialect == "postgresql":
        spoke_at = min(now, statement.made_at) if statement.summary is None else None
        await tx.flush()
        knows = statement.knows_lines if statement.summary is None else None
        await (await tx.driver()).execute(HEARD_FROM, peer, now, incarnation, spoke_at, bool(statement.recalls), knows)
        return
    await tx.session.execute(insert_if_absent(tx, Peer), [{"peer": peer}])
    values: dict[str, Any] = {"last_heard_at": now, "incarnation": incarnation}
    is_new_life = or_(col(Peer.incarnation).is_(None), col(Peer.incarnation) != incarnation)
    is_news, knows = is_new_life, 0
    if statement.summary is None:
        spoke_at, knows = min(now, statement.made_at), statement.knows_lines
        is_later = or_(col(Peer.spoke_at).is_(None), col(Peer.spoke_at) < spoke_at)
        values["spoke_at"] = case((is_later, spoke_at), else_=col(Peer.spoke_at))
        # An old letter that comes again takes nothing from what is known since. But one of its processes may lag behind, and of a
        # new root's directory it may know less than it did of the former's.
        lags = (col(Peer.knows_lines) > knows) & (col(Peer.knows_since) < spoke_at)
        is_news = or_(is_new_life, col(Peer.knows_lines) < knows, lags)
    values["knows_lines"] = case((is_news, knows), else_=col(Peer.knows_lines))
    values["knows_since"] = case((is_news, now), else_=func.coalesce(col(Peer.knows_since), now))
    asks = bool(statement.recalls) or is_new_life
    values["whole_since"] = now if asks is True else case((asks, now), else_=func.coalesce(col(Peer.whole_since), now))
    await tx.session.execute(update(Peer).where(col(Peer.peer) == peer).values(**values))


async def _is_not_whole(tx: Transaction, peer: str) -> None:
    """It asks for what it once held: it is an older copy of itself, whatever life it speaks from."""
    await tx.session.execute(update(Peer).where(col(Peer.peer) == peer).values(whole_since=tx.clock.now()))


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


async def _note_head(tx: Transaction, hooks: Hooks, peer: str, head: Head) -> None:
    key = {"sender": peer, "incarnation": head.incarnation, "upto": 0, "held": 0, "frontier": b"", "highest": 0, "announced": 0}
    made = await tx.session.execute(insert_if_absent(tx, ReceivedHead).returning(col(ReceivedHead.sender)), [key])
    mine = (col(ReceivedHead.sender) == peer, col(ReceivedHead.incarnation) == head.incarnation)
    if made.first() is not None and not await is_room_for_life(tx, peer, head.incarnation):
        await tx.session.execute(delete(ReceivedHead).where(*mine))
        await hooks.trouble("overfull", peer, {}, tx)
        return
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
    is_news = held is None or made_at > held.made_at
    if held is not None and receipt.upto < held.upto:
        owed.shown = held.signed if len(held.signed) <= SHOWN_BYTES_MAX else None
        if is_news:
            await _is_not_whole(tx, peer)
        return
    agreed = await _agreed(tx, peer, receipt.incarnation)
    if is_news and receipt.upto < agreed:
        await _is_not_whole(tx, peer)  # an older life of its signed for more: it will ask for that, if not in this letter yet
    found = await _compare(tx, ears, peer, receipt, held, agreed)
    owed.recalls = [*owed.recalls, *found.recalls][:RECALLS_MAX]
    for some in said.together(found.proved):
        await _deliver(tx, peer, receipt.incarnation, some, hooks)
    if receipt.missing:
        is_older = await _send_again(tx, peer, receipt, owed)
        if is_older and is_news:
            await _is_not_whole(tx, peer)
    if not found.is_equal:
        return
    first = held.upto + 1 if held is not None else 1
    if first <= receipt.upto:
        whole = HeldRange(first=first, last=receipt.upto, root=receipt.root)
        await _deliver(tx, peer, receipt.incarnation, [whole], hooks)
    await _hold(tx, inner, made_at, receipt, held)


async def _compare(
    tx: Transaction, ears: Ears, peer: str, receipt: Receipt, held: HeldReceipt | None, agreed: int
) -> said.Comparison:
    if is_living := receipt.incarnation == await current_incarnation(tx):
        found = await said.compare_living(tx, peer, receipt)
        if not found.holds_more:
            return found
        if not await _may_reopen(tx):
            await ears.hooks.trouble("root_mismatch", peer, {"incarnation": str(receipt.incarnation), "upto": receipt.upto}, tx)
            return found
        await open_incarnation(tx, ears.peers, "peer_holds_more")
        await ears.hooks.trouble("reopened", peer, {"because": "peer_holds_more"}, tx)
    elif (receipt.upto, receipt.root, receipt.ranges) == ((held.upto, held.root, ()) if held is not None else (0, EMPTY_ROOT, ())):
        return said.Comparison(True)  # as it was last time: a whole life is not read again for every letter
    found = await said.compare_ended(tx, peer, receipt, agreed)
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


async def _held(tx: Transaction, peer: str, peer_incarnation: UUID, incarnation: UUID) -> HeldReceipt | None:
    query = select(HeldReceipt).where(
        col(HeldReceipt.peer) == peer, col(HeldReceipt.peer_incarnation) == peer_incarnation,
        col(HeldReceipt.incarnation) == incarnation,
    )  # fmt: skip
    return (await tx.session.execute(query.with_for_update().execution_options(populate_existing=True))).scalar_one_or_none()


async def _hold(tx: Transaction, inner: Inner, made_at: datetime, receipt: Receipt, held: HeldReceipt | None) -> None:
    """Keeps a signature in place of the one before it from the same life; of lives of the peer's, only the newest."""
    if held is None:
        if receipt.upto == 0:
            return  # it signs for nothing
        held = HeldReceipt(
            peer=inner.header.sender, peer_incarnation=inner.header.incarnation, incarnation=receipt.incarnation, upto=0,
            root=EMPTY_ROOT, made_at=made_at, signed=b"",
        )  # fmt: skip
        tx.session.add(held)
        mine = (col(HeldReceipt.peer) == held.peer, col(HeldReceipt.incarnation) == held.incarnation)
        oldest = select(col(HeldReceipt.made_at)).where(*mine).order_by(col(HeldReceipt.made_at).desc()).offset(RECEIPTS_MAX - 1)
        limit = (await tx.session.execute(oldest.limit(1))).scalar_one_or_none()
        if limit is not None:
            await tx.session.execute(delete(HeldReceipt).where(*mine, col(HeldReceipt.made_at) < limit))
    held.upto, held.root, held.made_at, held.signed, held.parked = (
        receipt.upto,
        receipt.root,
        made_at,
        inner.raw,
        list(receipt.parked),
    )
    await tx.session.flush()


async def _deliver(tx: Transaction, peer: str, incarnation: UUID, parts: Sequence[HeldRange], hooks: Hooks) -> None:
    """What a peer has shown to hold is delivered; `parts` is one stretch, or several short ones."""
    now = tx.clock.now()
    covered = await _cover(tx, peer, incarnation, parts, now)
    # What was withheld took its slot and told nothing: its receipt proves nothing about the event.
    events = [event_id for event_id, is_withheld in covered if not is_withheld]
    if events:
        await hooks.delivered(events, now, tx)


async def _cover(
    tx: Transaction, peer: str, incarnation: UUID, parts: Sequence[HeldRange], now: datetime
) -> Sequence[tuple[UUID, bool]]:
    first, last = parts[0].first, parts[-1].last
    if tx.dialect == "postgresql" and len(parts) == 1:
        await tx.flush()
        return [tuple(row) for row in await (await tx.driver()).fetch(DELIVER, peer, incarnation, first, last, now)]
    whole = said.slots(peer, incarnation, first, last)
    which = whole if len(parts) == 1 else said.of_slots(peer, incarnation, said.slots_of(parts))
    query = (
        update(OutboxRow)
        .where(*which, NOT_YET)
        .values(delivered_at=now, is_due=False)
        .returning(col(OutboxRow.event_id), col(OutboxRow.is_withheld))
    )
    return (await tx.session.execute(query)).tuples().all()


async def _send_again(tx: Transaction, peer: str, receipt: Receipt, owed: Owed) -> bool:
    """What the peer misses is due again, or stated cleared; what nobody has any more, of an ended life only, is stated lost.

    True where the peer has signed for some of it before.
    """
    known, is_older = await _due_or_cleared(tx, peer, said.of_slots(peer, receipt.incarnation, receipt.missing), owed)
    if known != set(receipt.missing) and receipt.incarnation != await current_incarnation(tx):
        owed.lost.setdefault(receipt.incarnation, set()).update(set(receipt.missing) - known)
    return is_older


async def _due_or_cleared(tx: Transaction, peer: str, which: tuple[Any, ...], owed: Owed) -> tuple[set[int], bool]:
    """Sends what is asked for again, or says that its words are not kept any more; returns the slots that are known, and whether
    the peer has signed for any of them."""
    is_said = col(OutboxRow.inner).is_not(None) & col(OutboxRow.erased_at).is_(None)
    due = update(OutboxRow).where(*which, is_said).values(is_due=True)
    rows = (await tx.session.execute(due.returning(col(OutboxRow.seq), col(OutboxRow.delivered_at)))).tuples().all()
    wake_on_commit(tx)
    # After it: what the sweep cleared meanwhile is no longer to be sent, and is found here.
    query = select(OutboxRow).where(*which, ~is_said).execution_options(populate_existing=True)
    bare = list((await tx.session.execute(query)).scalars())
    cleared = {
        Cleared(incarnation=row.incarnation, seq=row.seq, leaf=row.leaf, event_id=row.event_id, is_erased=row.erased_at is not None)
        for row in bare if row.incarnation and row.seq and row.leaf
    }  # fmt: skip
    owed.cleared |= cleared
    is_older = any(row.delivered_at is not None for row in bare) or any(delivered_at is not None for _, delivered_at in rows)
    return {seq for seq, _ in rows if seq is not None} | {one.seq for one in cleared}, is_older


async def _take_lost(tx: Transaction, hooks: Hooks, peer: str, word: Lost) -> None:
    """What was asked for and nobody has is passed over."""
    held = select(col(ReceivedSlot.seq)).where(
        col(ReceivedSlot.sender) == peer, col(ReceivedSlot.incarnation) == word.incarnation, col(ReceivedSlot.seq).in_(word.slots)
    )
    asked = await asked_slots(tx, peer, word.incarnation, word.slots)
    fresh = sorted(asked - {int(seq) for seq in (await tx.session.execute(held)).scalars()})
    known = select(func.count()).select_from(LostSlot).where(col(LostSlot.sender) == peer)
    if fresh and int((await tx.session.execute(known)).scalar_one()) >= LOST_SLOTS_MAX:
        await hooks.trouble("overfull", peer, {}, tx)
        return
    rows = [{"sender": peer, "incarnation": word.incarnation, "seq": seq, "stated_at": tx.clock.now()} for seq in fresh]
    await insert_many(tx, LostSlot, rows, absent_only=True)
    await advance_head(tx, peer, word.incarnation)


async def _take_cleared(tx: Transaction, ears: Ears, inner: Inner, statement: Statement) -> None:
    """A peer no longer keeps the words of slots that we asked for: they count as held, without words, and somebody is told.

    Only what was asked for is heeded; another leaf than the one that is held here is evidence of a fork. What went with its consent
    is nobody's to look for: it alarms nobody.
    """
    peer, is_any = inner.header.sender, False
    for life in sorted({one.incarnation for one in statement.cleared}):
        told = {one.seq: one for one in statement.cleared if one.incarnation == life}
        held = select(col(ReceivedSlot.seq), col(ReceivedSlot.leaf)).where(
            col(ReceivedSlot.sender) == peer, col(ReceivedSlot.incarnation) == life, col(ReceivedSlot.seq).in_(told)
        )
        leaves = {int(seq): leaf for seq, leaf in (await tx.session.execute(held)).tuples()}
        for seq in [seq for seq, leaf in leaves.items() if leaf != told[seq].leaf]:
            await keep_fork(tx, ears.hooks, (peer, life, seq), told[seq].leaf, Under(None, inner.raw))
        asked = await asked_slots(tx, peer, life, list(told))
        fresh = [one for seq, one in sorted(told.items()) if seq in asked and seq not in leaves]
        for state, some in groupby(sorted(fresh, key=_state_of), key=_state_of):
            await take_wordless(tx, peer, [(one.incarnation, one.seq, one.leaf, one.event_id) for one in some], state)
        is_any = is_any or any(not one.is_erased for one in fresh)
    if is_any:
        await ears.hooks.trouble("cleared", peer, {}, tx)


def _state_of(word: Cleared) -> InboxState:
    return InboxState.ERASED if word.is_erased else InboxState.CLEARED


async def asked_slots(tx: Transaction, peer: str, incarnation: UUID, wanted: Collection[int]) -> set[int]:
    """Those of the slots that we asked for: what a peer says of others is heeded no further."""
    query = select(col(MissingSlot.seq)).where(
        col(MissingSlot.sender) == peer, col(MissingSlot.incarnation) == incarnation, col(MissingSlot.seq).in_(wanted)
    )
    return {int(seq) for seq in (await tx.session.execute(query)).scalars()}


async def _answer_enquiries(tx: Transaction, peer: str, enquiries: Sequence[UUID], owed: Owed) -> None:
    """Sends again what was numbered; what this agency never said to `peer` is to be stated gone."""
    mine = (col(OutboxRow.recipient) == peer, col(OutboxRow.event_id).in_(enquiries))
    known = set((await tx.session.execute(select(col(OutboxRow.event_id)).where(*mine))).scalars())
    await _due_or_cleared(tx, peer, (*mine, col(OutboxRow.seq).is_not(None), ~col(OutboxRow.is_forked)), owed)
    owed.gone |= set(enquiries) - known


async def _waits_for_home(tx: Transaction, peer: str) -> bool:
    query = select(col(OutboxRow.position)).where(col(OutboxRow.recipient) == peer, ~col(OutboxRow.is_home)).limit(1)
    return (await tx.session.execute(query)).first() is not None


async def _note_answer(tx: Transaction, peer: str, statement: Statement) -> None:
    """A peer has answered a restore when it knows of our new life, holds no word of ours that we lack, and we hold all it said."""
    row = await tx.session.get(Recovery, peer, populate_existing=True)
    if row is None or row.answered_at is not None or statement.knows != row.incarnation:
        return
    for head in statement.heads:
        held = await tx.session.get(ReceivedHead, (peer, head.incarnation), populate_existing=True)
        if (held is None or held.upto < head.size) and not await is_settled(tx, peer, head.incarnation, head.size):
            return
    row.answered_at = tx.clock.now()
    await tx.session.flush()


async def is_settled(tx: Transaction, peer: str, incarnation: UUID, upto: int) -> bool:
    """Whether every slot of a stream up to that one is held, lost, or given up because it cannot be opened: those never come, and
    are alarmed. What lies above says nothing of a hole below."""
    total = 0
    for table in (ReceivedSlot, LostSlot, MissingSlot):
        query = (
            select(func.count())
            .select_from(table)
            .where(col(table.sender) == peer, col(table.incarnation) == incarnation, col(table.seq) <= upto)
        )
        if table is MissingSlot:
            held = select(col(ReceivedSlot.seq)).where(
                col(ReceivedSlot.sender) == peer, col(ReceivedSlot.incarnation) == incarnation
            )
            query = query.where(col(MissingSlot.is_parked), col(MissingSlot.seq).not_in(held))
        total += int((await tx.session.execute(query)).scalar_one())
    return total >= upto
