"""Recounting a database: every row that a stream's leaf commits to, against the leaves, roots, heads, and the peers' signatures.

Whoever may write to the database may make it agree with itself. What he cannot write is a signature: of this agency under what it
said, of its peers under what they were told, and under the log of what is done inside. Nothing is changed here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select, text
from sqlmodel import col

from shared.contracts.wire.envelope import Event, Inner, Unopenable, unframe
from shared.contracts.wire.merkle import Frontier
from shared.contracts.wire.statements import LostRange
from shared.exchange.counting import FINDINGS_MAX, PAGE, Counting, Progress, Signed, Verdict, rows_words
from shared.exchange.counting_inside import InsideCount
from shared.exchange.direct import StreamName
from shared.exchange.inbox import heard
from shared.exchange.inside import Source
from shared.exchange.said import slots
from shared.exchange.seal import KeyGivenUp, Seal
from shared.exchange.tables import (
    HeadState,
    HeldReceipt,
    InboxRow,
    InboxState,
    Incarnation,
    Log,
    LostSlot,
    OutboxRow,
    ReceivedHead,
    ReceivedSlot,
    SignedHead,
    Stream,
)
from shared.exchange.witness import good_stream_head
from shared.kit.db import Database, Transaction
from shared.kit.sealed import as_it_lies


async def verify(
    database: Database, agency: str, seal: Seal, sources: Sequence[Source], anchored: tuple[UUID, dict[str, int]] | None = None,
    progress: Progress = lambda _rows: None,
) -> Verdict:  # fmt: skip
    """Recounts everything, in one snapshot; the agency may work meanwhile. `anchored` is what the anchor beside the database says:
    the life, and how far each stream went in it. Memory does not grow with the database. Raises DatabaseAway."""
    async with database.read() as tx:
        if tx.dialect == "postgresql":
            await tx.session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        return await recount(tx, agency, seal, sources, anchored, progress)


async def recount(
    tx: Transaction, agency: str, seal: Seal, sources: Sequence[Source], anchored: tuple[UUID, dict[str, int]] | None = None,
    progress: Progress = lambda _rows: None,
) -> Verdict:  # fmt: skip
    """The same on what a transaction sees."""
    verdict = Verdict(agency)
    count = _Streams(tx, agency, seal, verdict, progress)
    await count.said(anchored)
    await count.heard()
    await InsideCount(tx, agency, seal, verdict, progress).inside(sources)
    await count.refused()
    return verdict


class _Streams(Counting):
    """What was said and what was heard."""

    # --- what was said -------------------------------------------------------------------------------------------------------

    async def said(self, anchored: tuple[UUID, dict[str, int]] | None) -> None:
        """Our streams: rows, roots, heads, and what peers have signed for."""
        (current,) = await self._all(select(col(Incarnation.id)).where(col(Incarnation.is_current)).limit(1)) or (None,)
        query = select(Stream).order_by(col(Stream.recipient), col(Stream.incarnation))
        heads = {(head.recipient, head.incarnation): head for head in await self._all(query)}
        lives = select(col(OutboxRow.recipient), col(OutboxRow.incarnation)).where(col(OutboxRow.seq).is_not(None)).distinct()
        told = {(recipient, life) for recipient, life in (await self._tx.session.execute(lives)).tuples() if life is not None}
        for recipient, life in sorted({*heads, *told}):
            name = str(StreamName(self._agency, recipient, life))
            head = heads.get((recipient, life))
            if head is None:
                self.verdict.add("exchange_streams", name, None, "the stream's head is gone, and rows of it are here.")
                head = Stream(recipient=recipient, incarnation=life)
            sizes = anchored[1] if anchored is not None and anchored[0] == life else {}
            if head.size < sizes.get(recipient, 0):
                words = f"the stream ends here, and the anchor beside the database says that it went to {sizes[recipient]}."
                self.verdict.add("exchange_streams", name, head.size, words)
            await self._said_stream(name, head, is_living=life == current)

    async def _said_stream(self, name: str, head: Stream, *, is_living: bool) -> None:
        self.verdict.streams += 1
        receipts = await self._receipts(name, head)
        table, tree = OutboxRow, _Tree()

        def query(above: int) -> Any:
            mine = (col(table.recipient) == head.recipient, col(table.incarnation) == head.incarnation, col(table.seq) > above)
            return select(*SAID).where(*mine, ~col(table.is_forked)).order_by(col(table.seq))

        async for row in self._paged(query):
            while receipts and receipts[0].upto < row.seq:
                self._compare_receipt(name, receipts.pop(0), tree)
            if row.seq > tree.last + 1 and is_living:
                self.verdict.add("exchange_outbox", name, tree.last + 1, f"{rows_words(tree.last + 1, row.seq - 1)} deleted.")
            leaf = self._said_row(name, head, row)
            tree.add(row.seq, leaf)
            is_chained = is_living or not tree.holes
            if is_chained and row.root_after is not None and row.root_after != tree.frontier.root() and not tree.is_broken:
                tree.is_broken = True
                words = "from here on the roots do not follow from the leaves; this row, or one before it, was changed or swapped."
                self.verdict.add("exchange_outbox", name, row.seq, words)
        for receipt in receipts:
            self._compare_receipt(name, receipt, tree)
        await self._forked(name, head)
        self._end_of_said(name, head, tree, is_living=is_living)

    async def _forked(self, name: str, head: Stream) -> None:
        """Rows that gave their place to the recipient's copy: numbered twice after a restore, they are signed; rewritten, they are
        not."""
        mine = (col(OutboxRow.recipient) == head.recipient, col(OutboxRow.incarnation) == head.incarnation)
        last = 0
        while True:
            query = select(*SAID).where(*mine, col(OutboxRow.is_forked), col(OutboxRow.position) > last)
            page = (await self._tx.session.execute(query.order_by(col(OutboxRow.position)).limit(PAGE))).all()
            for row in page:
                self._said_row(name, head, row)
                last = row.position
            self._counted(len(page))
            if len(page) < PAGE:
                return

    def _end_of_said(self, name: str, head: Stream, tree: "_Tree", *, is_living: bool) -> None:
        if is_living and tree.last < head.size:
            self.verdict.add("exchange_outbox", name, tree.last + 1, f"{rows_words(tree.last + 1, head.size)} deleted.")
        elif tree.last > head.size:
            self.verdict.add(
                "exchange_outbox", name, head.size + 1, f"{rows_words(head.size + 1, tree.last)} added beyond the head."
            )
        if (tree.frontier.size, tree.frontier.to_bytes()) != (head.held, head.frontier):
            words = f"the head is over {head.held} leaves, and they are not the {tree.frontier.size} that are here"
            words += f"; there are none in {_spans(tree.holes)}." if tree.holes else "."
            self.verdict.add("exchange_streams", name, head.size, words)

    def _said_row(self, name: str, head: Stream, row: Any) -> bytes:
        """The leaf that counts for a row: that of its signed words, where they are here."""
        try:
            raw, data = (self._opened(OutboxRow, part, getattr(row, part)) for part in ("inner", "data"))
            if raw is None:
                if row.delivered_at is None and row.erased_at is None:
                    words = "its words are gone, and nobody has signed for them: they are only cleared long after that."
                    self.verdict.add("exchange_outbox", name, row.seq, words)
                return bytes(row.leaf or b"")
            inner = self._seal.signed(raw, self._agency, head.recipient)
            event = heard(inner).event
        except Unopenable as error:
            self.verdict.add("exchange_outbox", name, row.seq, f"its words were changed: {error}.")
            return bytes(row.leaf or b"")
        if (inner.header.incarnation, inner.header.seq) != (head.incarnation, row.seq):
            self.verdict.add("exchange_outbox", name, row.seq, f"it was signed for place {inner.header.seq}: rows were swapped.")
        if inner.leaf != row.leaf:
            self.verdict.add("exchange_outbox", name, row.seq, "its leaf is not that of its signed words.")
        if changed := _changed(row, data, event):
            self.verdict.add("exchange_outbox", name, row.seq, f"what was signed differs in {', '.join(changed)}.")
        return inner.leaf

    async def _receipts(self, name: str, head: Stream) -> list[Signed]:
        """What the recipient has signed for of a stream, lowest first; a row that its signature does not bear out is named."""
        query = select(HeldReceipt).where(
            col(HeldReceipt.peer) == head.recipient, col(HeldReceipt.incarnation) == head.incarnation
        )  # fmt: skip
        found = []
        for row in await self._all(query):
            kept = (row.incarnation, row.upto, row.root, row.signed)
            said = self._signed_for("exchange_receipts", name, head.recipient, kept, lambda one: one.receipts)
            if said is not None:
                root = await self._root_without(head, said.upto, said.lost) if said.lost else None
                found.append(Signed(head.recipient, said.upto, said.root, root))
        return sorted(found, key=lambda one: one.upto)

    async def _root_without(self, head: Stream, upto: int, lost: Sequence[LostRange]) -> bytes:
        """The root over our leaves of an ended life without those that the peer says are lost."""
        frontier = Frontier()

        def query(above: int) -> Any:
            here = slots(head.recipient, head.incarnation, above + 1, upto)
            return select(col(OutboxRow.seq), col(OutboxRow.leaf)).where(*here).order_by(col(OutboxRow.seq))

        async for seq, leaf in self._paged(query):
            if not any(part.first <= seq <= part.last for part in lost):
                frontier = frontier.append(leaf)
        return frontier.root()

    def _compare_receipt(self, name: str, signed: Signed, tree: "_Tree") -> None:
        root = tree.frontier.root() if signed.own_root is None else signed.own_root
        if root != signed.root:
            words = f"{signed.peer} signed for other words up to here; a row up to here was changed, deleted or swapped since."
            self.verdict.add("exchange_outbox", name, signed.upto, words)

    # --- what was heard ------------------------------------------------------------------------------------------------------

    async def heard(self) -> None:
        """Peers' streams as they are held here: slots, words, how far they go, and the heads that the peers have signed."""
        query = select(ReceivedHead).order_by(col(ReceivedHead.sender), col(ReceivedHead.incarnation))
        heads = {(head.sender, head.incarnation): head for head in await self._all(query)}
        lives = select(col(ReceivedSlot.sender), col(ReceivedSlot.incarnation)).distinct()
        held = set((await self._tx.session.execute(lives)).tuples())
        for sender, life in sorted({*heads, *held}):
            name = str(StreamName(sender, self._agency, life))
            head = heads.get((sender, life))
            if head is None:
                self.verdict.add("exchange_heads", name, None, "the row that says how far it is held is gone.")
            await self._heard_stream(name, head or ReceivedHead(sender=sender, incarnation=life))
        await self._added_words()

    async def _heard_stream(self, name: str, head: ReceivedHead) -> None:
        self.verdict.streams += 1
        signed, tree, slot, word = await self._signed_heads(name, head), _Tree(), ReceivedSlot, InboxRow
        lost = select(col(LostSlot.seq)).where(col(LostSlot.sender) == head.sender, col(LostSlot.incarnation) == head.incarnation)
        passed_over = {int(seq) for seq in (await self._tx.session.execute(lost)).scalars()}

        def query(above: int) -> Any:
            same = and_(col(word.sender) == col(slot.sender), col(word.event_id) == col(slot.event_id))
            columns = (
                slot.seq, slot.leaf, slot.event_id, word.state, as_it_lies(word.inner), word.type, word.dataversion, word.subject,
                word.after, word.consent_id,
            )  # fmt: skip
            mine = (col(slot.sender) == head.sender, col(slot.incarnation) == head.incarnation, col(slot.seq) > above)
            return select(*columns).outerjoin(word, same).where(*mine).order_by(col(slot.seq))  # type: ignore[call-overload]

        async for row in self._paged(query):
            while signed and signed[0].upto < row.seq:
                self._compare_head(name, signed.pop(0), tree)
            self._name_gone(name, tree.last + 1, min(row.seq - 1, head.upto), passed_over)
            leaf = self._heard_row(name, head, row)
            if row.seq <= head.upto:
                tree.add(row.seq, leaf)
        for one in signed:
            if one.upto <= head.upto:
                self._compare_head(name, one, tree)
        self._name_gone(name, tree.last + 1, head.upto, passed_over)
        if (tree.frontier.size, tree.frontier.to_bytes()) != (head.held, head.frontier):
            words = f"what is signed for is over {head.held} leaves, and they are not the {tree.frontier.size} that are here."
            self.verdict.add("exchange_heads", name, head.upto, words)

    def _name_gone(self, name: str, first: int, last: int, passed_over: set[int]) -> None:
        gone = next((seq for seq in range(first, last + 1) if seq not in passed_over), None)
        if gone is not None:
            self.verdict.add("exchange_slots", name, gone, f"{rows_words(gone, last)} deleted.")

    def _heard_row(self, name: str, head: ReceivedHead, row: Any) -> bytes:
        if row.state is None:
            self.verdict.add("exchange_inbox", name, row.seq, f"the event {row.event_id} that came in this slot was deleted.")
            return bytes(row.leaf)
        try:
            raw = self._opened(InboxRow, "inner", row.inner)
            if raw is None:
                return bytes(row.leaf)
            inner = self._heard_words(name, head, row, raw)
            event = heard(inner).event
        except Unopenable as error:
            self.verdict.add("exchange_inbox", name, row.seq, f"the words of event {row.event_id} were changed: {error}.")
            return bytes(row.leaf)
        columns = (row.event_id, row.type, row.dataversion, row.subject, row.after, row.consent_id)
        if columns != (event.id, event.type, event.dataversion, event.subject, event.after, event.consentid):
            self.verdict.add("exchange_inbox", name, row.seq, f"the row of event {row.event_id} is not what was signed.")
        if (inner.header.incarnation, inner.header.seq) != (head.incarnation, row.seq):
            return bytes(row.leaf)  # an event that came in two slots is kept in its first form
        if inner.leaf != row.leaf:
            self.verdict.add("exchange_slots", name, row.seq, "its leaf is not that of the words that came in it.")
        return inner.leaf

    def _heard_words(self, name: str, head: ReceivedHead, row: Any, raw: bytes) -> Inner:
        """The words as they were signed; raises Unopenable. What is signed with a key that was given up since is its owner's to
        explain, and was not changed here."""
        try:
            return self._seal.signed(raw, head.sender, self._agency)
        except KeyGivenUp:
            if len(self.verdict.refused) < FINDINGS_MAX:
                self.verdict.refused.append(
                    f"{head.sender} has given up the key under which place {row.seq} of {name} is signed, before that place;"
                    " ask there whether it is theirs."
                )
            return unframe(raw)

    async def _signed_heads(self, name: str, head: ReceivedHead) -> list[Signed]:
        found = []
        for row in await self._all(good_stream_head(head.sender, head.incarnation)):
            kept = (row.incarnation, row.size, row.root, row.signed)
            said = self._signed_for("exchange_signed_heads", name, head.sender, kept, lambda one: one.heads)
            if said is not None:
                found.append(Signed(head.sender, said.size, said.root))
        return sorted(found, key=lambda one: one.upto)

    def _compare_head(self, name: str, signed: Signed, tree: "_Tree") -> None:
        if tree.frontier.root() != signed.root:
            words = f"{signed.peer} signed other words up to here than are held; a row up to here was changed, deleted or swapped."
            self.verdict.add("exchange_slots", name, signed.upto, words)

    async def _added_words(self) -> None:
        """Words that came in no slot were never said."""
        same = and_(col(ReceivedSlot.sender) == col(InboxRow.sender), col(ReceivedSlot.event_id) == col(InboxRow.event_id))
        query = (
            select(col(InboxRow.sender), col(InboxRow.event_id))
            .outerjoin(ReceivedSlot, same)
            .where(col(ReceivedSlot.seq).is_(None), col(InboxRow.state) != InboxState.GONE)
            .limit(FINDINGS_MAX)
        )
        for sender, event_id in (await self._tx.session.execute(query)).tuples():
            self.verdict.add(
                "exchange_inbox", sender, None, f"the event {event_id} came in no slot: its row was added, or its slot deleted."
            )

    # --- what peers have to explain ------------------------------------------------------------------------------------------

    async def refused(self) -> None:
        """Heads of peers that do not extend what they signed before."""
        query = select(SignedHead).where(col(SignedHead.state) == HeadState.REFUSED.value).order_by(col(SignedHead.heard_at))
        for row in await self._all(query):
            log = f"{row.sender}.{self._agency}" if row.log == Log.STREAM else f"what {row.sender} does inside,"
            self.verdict.refused.append(
                f"{row.sender} signed, by {row.heard_at:%Y-%m-%d %H:%M} UTC, a head of {log} life {row.incarnation} at {row.size}"
                " that does not extend what it said before; both are kept here."
            )


@dataclass(slots=True)
class _Tree:
    """A stream as far as it was counted again. `holes` are the first few stretches without a row."""

    frontier: Frontier = field(default_factory=Frontier)
    last: int = 0
    holes: list[tuple[int, int]] = field(default_factory=list)
    is_broken: bool = False

    def add(self, seq: int, leaf: bytes) -> None:
        """The next row."""
        if seq > self.last + 1 and len(self.holes) < HOLES_SHOWN:
            self.holes.append((self.last + 1, seq - 1))
        self.frontier, self.last = self.frontier.append(leaf), seq


# What a row of ours says, the place that it is paged by first; its words unopened.
SAID = (
    col(OutboxRow.seq), col(OutboxRow.position), col(OutboxRow.leaf), col(OutboxRow.root_after), as_it_lies(OutboxRow.inner),
    col(OutboxRow.event_id), col(OutboxRow.type), col(OutboxRow.dataversion), col(OutboxRow.subject), col(OutboxRow.after),
    col(OutboxRow.consent_id), col(OutboxRow.circle_version), col(OutboxRow.is_withheld), col(OutboxRow.occurred_at),
    col(OutboxRow.recorded_at), as_it_lies(OutboxRow.data), col(OutboxRow.delivered_at), col(OutboxRow.erased_at),
)  # fmt: skip
HOLES_SHOWN = 5


def _changed(row: Any, data: Any, event: Event) -> list[str]:
    """The columns of an outbox row that are not what was signed."""
    said = {
        "event_id": event.id, "type": event.type, "dataversion": event.dataversion, "subject": event.subject, "after": event.after,
        "consent_id": event.consentid, "circle_version": event.circleversion, "is_withheld": event.withheld,
        "occurred_at": event.time, "recorded_at": event.recordedtime,
    }  # fmt: skip
    changed = [name for name, value in said.items() if getattr(row, name) != value]
    if not event.withheld and data != event.data:
        changed.append("data")
    return changed


def _spans(holes: Sequence[tuple[int, int]]) -> str:
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in holes)
