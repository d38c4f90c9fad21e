"""Letters between this agency and its peers, whatever carries them: statements, and words that are given back after a restore.

What a peer is owed beside where the streams stand is kept in memory only: a letter that is lost is asked for again. So is what it
signed last of what is done inside: nobody who writes to the database writes there.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy import update
from sqlmodel import col

from shared.contracts.wire.envelope import CONTENT_BYTES_MAX, Header, Inner, Kind, Unopenable
from shared.contracts.wire.statements import CLEARED_MAX, ENQUIRIES_MAX, LOST_MAX, Bare, Lost, Recall, Statement
from shared.exchange.answers import Ears, Owed, take_statement
from shared.exchange.directories import take_lines
from shared.exchange.given_up import hold_against
from shared.exchange.inbox import Inbox
from shared.exchange.incarnations import current_incarnation
from shared.exchange.inside import as_heard
from shared.exchange.outbox import insert_if_absent
from shared.exchange.receipts import make_statement, note_unopenable, summary
from shared.exchange.recovery import apply_home, held_of, take_home
from shared.exchange.registry import Hooks
from shared.exchange.seal import Seal
from shared.exchange.tables import Peer
from shared.kit.crash import crash_point
from shared.kit.db import Database, Transaction
from shared.kit.errors import DatabaseAway

MISSING_AT_LEAST = 50  # slots of each life that even the shortest statement asks for
# On the driver on PostgreSQL; the portable form stands beside its use.
STATED = """
    INSERT INTO exchange_peers (peer, last_stated_at) VALUES ($1, $2)
    ON CONFLICT (peer) DO UPDATE SET last_stated_at = excluded.last_stated_at
"""


class Letters:
    """One agency's letters. `due` names the peers that wait for one; `woken` is set when another begins to."""

    def __init__(self, database: Database, agency: str, peers: Sequence[str], seal: Seal, inbox: Inbox, hooks: Hooks) -> None:
        self._database, self._seal, self._inbox, self._hooks = database, seal, inbox, hooks
        self._ears = Ears(agency, tuple(peers), hooks)
        self._owed: dict[str, Owed] = {}
        self._told: dict[
            str, tuple[int, int]
        ] = {}  # of so many lines of our directory, how many a peer was told since they changed
        self._behind: dict[str, int] = {}  # peers that sealed to a key that is gone: how much of our directory they know at least
        self.due: set[str] = set(peers)  # at start everybody is told where we stand
        self.woken = asyncio.Event()
        self.is_still = False  # another copy of the database has this one's place: nothing is said or taken

    def check(self) -> None:
        """Raises DatabaseAway where this agency speaks from another copy of its database by now."""
        if self.is_still:
            raise DatabaseAway("Another copy of this agency's database has taken this one's place; ask again.")

    def heard_from(self, peer: str) -> None:
        """Something of this peer's is held now, or it waits for an answer."""
        self.due.add(peer)
        self.woken.set()

    async def take(self, inner: Inner) -> Statement:
        """Takes an opened statement in; raises Unopenable or DatabaseAway."""
        self.check()
        peer = inner.header.sender
        statement = Statement.of(inner)
        own = self._own(peer, statement)
        async with self._database.write() as tx:
            owed = await take_statement(tx, self._ears, inner, statement, own)
            crash_point("statement.before_commit")
        crash_point("statement.after_commit")
        if statement.gone:
            await self._inbox.gone(peer, statement.gone)
        # Signed by the peer alone: heeded where this very statement shows that it holds what we lack.
        if bare := [one for one in statement.bare if owed.asks_back(one.incarnation, one.seq)]:
            await self.take_home(peer, (), bare)
        if owed.is_home:
            await apply_home(self._database, self._hooks, peer)
        if owed.is_home or statement.cleared:
            await self._inbox.sweep()
        if statement.summary is None:  # the short form says nothing of this, and takes nothing of it back
            self._owed.setdefault(peer, Owed()).merge(owed)
            self._seal.is_known(peer, statement.knows_lines)
        if owed.is_anything or owed.is_home or statement.cleared:
            self.heard_from(peer)
        return statement

    def _own(self, peer: str, statement: Statement) -> Inner | None:
        if statement.shown is None:
            return None
        try:
            return self._seal.own(statement.shown, peer)
        except Unopenable:
            return None  # not our signature: it shows nothing

    async def take_lines(self, peer: str, content: bytes, letter: Inner | None = None) -> int:
        """Takes lines of a peer's directory of keys in, from the peer itself on the direct line or else from a letter; returns how
        many were new. Raises Unopenable or DatabaseAway."""
        fresh = await take_lines(self._database, self._seal, peer, content, letter)
        if fresh:
            self.heard_from(peer)
            await hold_against(self._database, self._seal, self._hooks, peer)
        return fresh

    async def take_any(self, peer: str, inner: Inner) -> int:
        """Takes whatever a peer sends beside its events: a statement, lines of its directory, or a word of our own that comes home;
        returns how many such words were not here. Raises Unopenable or DatabaseAway."""
        if inner.header.sender != peer:
            return await self.take_home(peer, [inner])
        if inner.header.kind is Kind.DIRECTORY:
            await self.take_lines(peer, inner.content, inner)
        else:
            await self.take(inner)
        return 0

    async def take_home(self, peer: str, words: Sequence[Inner], bare: Sequence[Bare] = ()) -> int:
        """Takes our own words back from the peer that held them; returns how many were not here. Raises Unopenable."""
        async with self._database.write() as tx:
            fresh = await take_home(tx, peer, [w for w in words if w.header.kind is Kind.EVENT], bare)
            crash_point("home.before_commit")
        crash_point("home.after_commit")
        if fresh:
            self.heard_from(peer)
        return fresh

    async def write(self, peer: str, *, asks_all: bool = False) -> list[bytes]:
        """What this peer is sent now, sealed: the statement, then the words that it asked back. Raises DatabaseAway or KeyAway."""
        self.check()
        owed, signed = self._owed.pop(peer, Owed()), dict(self._ears.last_signed)
        async with self._database.write() as tx:
            statement = await make_statement(tx, peer, asks_all=asks_all)
            inside = await as_heard(tx, peer, statement.inside, signed)
            statement = statement.model_copy(update={"knows_lines": self._seal.knows(peer), "inside": inside})
            words, bare = await held_of(tx, peer, owed.returns)
            sealed = await self._sealed(tx, peer, _fitting(_whole(statement, owed, bare)))
        return [sealed, *(self._seal.seal(word, peer) for word in words)]

    async def write_lines(self, peer: str, known: int | None = None) -> list[bytes]:
        """A letter of our directory for a peer that knows less of it, as it last said; nothing where it knows all. Raises as above.

        It goes before anything that is signed with a key that the peer has yet to learn of. `known`: how many lines it knows, for a
        process that has not heard it say so.
        """
        behind = self._behind.pop(peer, known)
        # All of it at a start, and whenever it has changed: what somebody has hidden from the peer comes in full so.
        size = self._seal.size()
        of, upto = self._told.get(peer, (0, 0))
        upto = upto if of == size else 0
        told = self._seal.lines_for(peer, upto if known is None and upto < size else behind)
        if told is None:
            return []
        self._told[peer] = (size, max(upto, told.first + len(told.lines) - 1))
        self.check()
        async with self._database.read() as tx:
            incarnation = await current_incarnation(tx)
        header = Header(kind=Kind.DIRECTORY, sender=self._ears.agency, recipient=peer, incarnation=incarnation)
        knows_then = told.first + len(told.lines) - 1
        return [self._seal.seal(self._seal.sign(header, told.to_bytes(), knows_then), peer)]

    async def write_short(self, peer: str) -> tuple[bytes, bytes]:
        """The short form, sealed, and the summary that it holds: one hash over both directions."""
        self.check()
        async with self._database.write() as tx:
            digest = await summary(tx, self._ears.agency, peer)
            sealed = await self._sealed(tx, peer, Statement(made_at=tx.clock.now(), summary=digest))
        return sealed, digest

    async def _sealed(self, tx: Transaction, peer: str, statement: Statement) -> bytes:
        incarnation = await current_incarnation(tx)
        header = Header(kind=Kind.STATEMENT, sender=self._ears.agency, recipient=peer, incarnation=incarnation)
        return self._seal.seal(self._seal.sign(header, statement.to_bytes()), peer)

    async def note_stated(self, peer: str) -> None:
        """A statement has been taken by what carries it."""
        async with self._database.write() as tx:
            if tx.dialect == "postgresql":
                await (await tx.driver()).execute(STATED, peer, tx.clock.now())
                return
            await tx.session.execute(insert_if_absent(tx, Peer), [{"peer": peer}])
            await tx.session.execute(update(Peer).where(col(Peer.peer) == peer).values(last_stated_at=tx.clock.now()))

    async def trouble(self, kind: str, peer: str, detail: dict[str, Any]) -> None:
        """Something about a line that a person must look at."""
        async with self._database.write() as tx:
            await self.trouble_in(tx, kind, peer, detail)

    async def trouble_in(self, tx: Transaction, kind: str, peer: str, detail: dict[str, Any]) -> None:
        """The same, in a transaction that does more."""
        await self._hooks.trouble(kind, peer, detail, tx)

    async def note_unopenable(self, sender: str, envelope: bytes, place: tuple[str, int, int], reason: str) -> None:
        """Keeps the trace of what cannot be opened, and tells it; `place` is where it came from: (topic, partition, offset).

        Who seals to a key of ours that is destroyed, as after a restore, can say nothing that is heard here, not even that it knows
        no other: it is told our directory unasked.
        """
        known = self._seal.known_by_sealer(envelope)
        if known is not None:
            self._behind[sender] = known
            self.heard_from(sender)
        digest = hashlib.sha256(sender.encode() + b"|" + envelope).digest()
        async with self._database.write() as tx:
            await note_unopenable(tx, digest, sender, place, reason, self._hooks)

    async def recalled(self, peer: str) -> list[Recall]:
        """What this agency asks back of a peer now, for a line on which it can be fetched at once."""
        return list(self._owed.get(peer, Owed()).recalls)


def _whole(statement: Statement, owed: Owed, bare: Sequence[Bare]) -> Statement:
    lost = [Lost(incarnation=i, slots=tuple(sorted(slots)[:LOST_MAX])) for i, slots in sorted(owed.lost.items())]
    return statement.model_copy(
        update={
            "gone": tuple(sorted(owed.gone)[:ENQUIRIES_MAX]), "recalls": tuple(owed.recalls), "lost": tuple(lost),
            "cleared": tuple(sorted(owed.cleared, key=lambda one: (one.incarnation, one.seq))[:CLEARED_MAX]),
            "bare": tuple(bare), "shown": owed.shown,
        }
    )  # fmt: skip


def _fitting(statement: Statement) -> Statement:
    """The statement without what can be said another time, where all of it is more than an envelope holds."""
    for unsaid in ({"shown": None}, {"bare": ()}, {"cleared": ()}, {"recalls": (), "lost": (), "gone": ()}, {"enquiries": ()}):
        if len(statement.to_bytes()) <= CONTENT_BYTES_MAX:
            return statement
        statement = statement.model_copy(update=unsaid)
    if len(statement.to_bytes()) <= CONTENT_BYTES_MAX:
        return statement
    # A hundred lives of plain receipts, 64 lost stretches in each, are the most that is left: the newest lives are told.
    plain = [r.model_copy(update={"ranges": (), "missing": r.missing[:MISSING_AT_LEAST], "parked": ()}) for r in statement.receipts]
    while len((least := statement.model_copy(update={"receipts": tuple(plain)})).to_bytes()) > CONTENT_BYTES_MAX:
        plain = plain[1:]
    return least
