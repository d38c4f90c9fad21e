"""Words that are here already when the key that they are signed with is given up, above the place that the revocation names.

What was applied stands, because people have acted on it, and somebody is told, once, of each word; what waits or is parked is
never applied. What comes later is not opened at all (`shared.exchange.seal`). Until the line that names the place in the stream
to us was read nothing here is touched: none of this is taken back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select, update
from sqlmodel import col

from shared.contracts.wire.envelope import unframe
from shared.exchange.inbox import GIVEN_UP, tell_parked
from shared.exchange.outbox import lock_subjects
from shared.exchange.registry import Hooks
from shared.exchange.seal import Seal
from shared.exchange.tables import InboxRow, InboxState, ReceivedHead, ReceivedSlot
from shared.kit.db import Database, Transaction
from shared.kit.errors import to_json
from shared.kit.keystore import CANNOT_OPEN
from shared.kit.sealed import as_it_lies, sealed_columns

PAGE = 500  # words opened in one read: some 10 ms
NAMED_MAX = 20  # stretches of slots that one alarm names; whoever has more finds the rest in the same stream above them
# A batch that another process opened before it heard of the revocation is applied, or its partition lost, within this.
AGAIN_AFTER = timedelta(minutes=5)
ALARM = "key_given_up"

HELD = (InboxState.APPLIED, InboxState.WAITING, InboxState.PARKED)


@dataclass(frozen=True, slots=True)
class _Word:
    """A held word under a key that was given up, above where the key reaches."""

    seq: int
    event_id: UUID
    type: str
    subject: UUID
    state: str


class GivenUp:
    """Looks at each peer's words when a key of the peer's is given up, at the start, and once more after AGAIN_AFTER."""

    def __init__(self, database: Database, seal: Seal, hooks: Hooks, peers: Sequence[str]) -> None:
        self._database, self._seal, self._hooks, self._peers = database, seal, hooks, peers
        self._known: dict[str, tuple[frozenset[bytes], datetime | None]] = {}  # keys that were looked at, and when to look again

    async def look(self) -> None:
        """Raises DatabaseAway."""
        now = self._database.clock.real()
        for peer in self._peers:
            keys = frozenset(self._seal.given_up(peer))
            known, again_at = self._known.get(peer, (frozenset(), None))
            if keys == known and (again_at is None or now < again_at):
                continue
            await hold_against(self._database, self._seal, self._hooks, peer)
            self._known[peer] = (keys, now + AGAIN_AFTER if keys != known else None)


async def hold_against(database: Database, seal: Seal, hooks: Hooks, peer: str) -> None:
    """Holds what is here of a peer's words against the keys that it has given up. It may be done again. Raises DatabaseAway."""
    keys = seal.given_up(peer)
    if not keys:
        return
    async with database.read() as tx:
        query = select(col(ReceivedHead.incarnation)).where(col(ReceivedHead.sender) == peer)
        lives = sorted((await tx.session.execute(query)).scalars())
    for life in lives:
        found = await _above(database, peer, life, keys)
        if found:
            async with database.write() as tx:
                await _mark(tx, hooks, peer, life, found)


async def _above(database: Database, peer: str, life: UUID, keys: Mapping[bytes, Mapping[UUID, int]]) -> list[_Word]:
    """What is held of a life above where its key reaches, and was not told of before; read in pages."""
    found: list[_Word] = []
    above = min(reached.get(life, 0) for reached in keys.values())
    while True:
        async with database.read() as tx:
            page = (await tx.session.execute(_held(peer, life, above))).all()
            for seq, event_id, type_, subject, state, raw in page:
                signer = _signer(tx, raw, (life, int(seq)))
                reached = keys.get(signer) if signer is not None else None
                if reached is not None and seq > reached.get(life, 0):
                    found.append(_Word(int(seq), event_id, type_, subject, state))
        if len(page) < PAGE:
            return found
        above = int(page[-1][0])


def _held(peer: str, life: UUID, above: int) -> Any:
    same = and_(col(InboxRow.sender) == peer, col(InboxRow.event_id) == col(ReceivedSlot.event_id))
    return (
        select(
            col(ReceivedSlot.seq), col(InboxRow.event_id), col(InboxRow.type), col(InboxRow.subject), col(InboxRow.state),
            as_it_lies(InboxRow.inner),
        )
        .join(InboxRow, same)
        .where(
            col(ReceivedSlot.sender) == peer, col(ReceivedSlot.incarnation) == life, col(ReceivedSlot.seq) > above,
            col(InboxRow.state).in_(HELD), col(InboxRow.inner).is_not(None),
            col(InboxRow.reason).is_distinct_from(str(GIVEN_UP)),
        )
        .order_by(col(ReceivedSlot.seq))
        .limit(PAGE)
    )  # fmt: skip


def _signer(tx: Transaction, raw: bytes, slot: tuple[UUID, int]) -> bytes | None:
    """The key under which the words of a slot stand; None where they are not to be opened here, or came in another slot."""
    try:
        header = unframe(sealed_columns(InboxRow)["inner"].open(raw, tx.keys)).header
    except CANNOT_OPEN:
        return None
    return header.signer if (header.incarnation, header.seq) == slot else None


async def _mark(tx: Transaction, hooks: Hooks, peer: str, life: UUID, found: Sequence[_Word]) -> None:
    """Parks what was not applied; tells of what was. Each word is marked, so that nobody is told of it twice."""
    await lock_subjects(tx, {word.subject for word in found})
    said = {"reason": str(GIVEN_UP), "reason_said": to_json(GIVEN_UP)}
    told: list[_Word] = []
    for start in range(0, len(found), PAGE):
        chunk = found[start : start + PAGE]
        here = (col(InboxRow.sender) == peer, col(InboxRow.event_id).in_([word.event_id for word in chunk]))
        fresh = col(InboxRow.reason).is_distinct_from(str(GIVEN_UP))
        mark = update(InboxRow).where(*here, fresh).execution_options(synchronize_session=False)
        applied = mark.where(col(InboxRow.state) == InboxState.APPLIED).values(**said).returning(col(InboxRow.event_id))
        ids = set((await tx.session.execute(applied)).scalars())
        told += [word for word in chunk if word.event_id in ids]
        held_back = mark.where(col(InboxRow.state).in_((InboxState.WAITING, InboxState.PARKED)))
        parked = held_back.values(**said, state=InboxState.PARKED).returning(col(InboxRow.event_id))
        ids = set((await tx.session.execute(parked)).scalars())
        for word in chunk:
            if word.event_id in ids and word.state == InboxState.WAITING:  # a parked one has its alarm
                await tell_parked(tx, hooks, peer, word.event_id, word.type, word.subject)
    if told:
        detail = {"incarnation": str(life), "slots": stretches([word.seq for word in told]), "event_id": str(told[0].event_id)}
        await hooks.trouble(ALARM, peer, detail, tx)


def stretches(seqs: Sequence[int]) -> str:
    """Slots in order as a person reads them, `5–7, 9`; of more than NAMED_MAX stretches the first, and `…`."""
    runs: list[list[int]] = []
    for seq in seqs:
        if runs and runs[-1][1] + 1 == seq:
            runs[-1][1] = seq
        else:
            runs.append([seq, seq])
    words = [str(first) if first == last else f"{first}–{last}" for first, last in runs[:NAMED_MAX]]
    return ", ".join([*words, *(["…"] if len(runs) > NAMED_MAX else [])])
