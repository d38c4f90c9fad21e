"""Two agencies compare what they hold on the line between them, past the broker: on a timer, on reconnecting, and by hand.

Pairs in step exchange one hash. Where they differ, or one is to ask or to sign for something, they exchange statements, and what
is missing is fetched at once, so that a broker that is silent, or lies, costs one period and is named.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from sqlalchemy import exists, func, or_, select, update
from sqlmodel import col

from shared.contracts.wire.envelope import Inner, Kind, Unopenable
from shared.contracts.wire.statements import RECALLS_MAX, Recall, Statement
from shared.exchange import said
from shared.exchange.anchor import Anchor
from shared.exchange.direct import EVENTS_MAX, LineAway, NotOpened, StreamName
from shared.exchange.directories import recall_lines
from shared.exchange.inbox import Heard, Inbox, heard
from shared.exchange.incarnations import is_awaited
from shared.exchange.keyring import KeyAway
from shared.exchange.letters import Letters
from shared.exchange.outbox import insert_if_absent
from shared.exchange.receipts import OVERDUE, STILL, enquiries
from shared.exchange.recovery import held_of
from shared.exchange.seal import Seal
from shared.exchange.tables import HeldReceipt, OutboxRow, Peer, ReceivedHead, ReceivedSlot, Stream
from shared.kit.db import Database, Transaction
from shared.kit.errors import DatabaseAway
from shared.kit.keystore import CANNOT_OPEN
from shared.kit.sealed import as_it_lies, sealed_columns

PERIOD_S = 300.0  # between comparisons of a pair that is in step (security.md §5); heartbeats by the broker come between
HURRY_S = 5.0  # at least, between comparisons of a pair that is not in step, or to which no broker brings anything
# The longest part of the time that comparing with one peer takes where the broker brings something: over a backlog a comparison
# takes seconds at both ends, finds hardly anything that is not under way, and what is acute waits for the same processor.
SHARE_MAX = 0.1
WORTH_PER_S = 100  # events or words that a comparison fetches each second: more, and it brings what a broker would, and goes on
ROUNDS_MAX = 50  # of one comparison: each fetches a page of every stream that has holes; the next period goes on from there
COMPARISON_S = 120.0  # of one comparison with a slow peer: then it begins anew, from what it has fetched
BYPASSED_AFTER = timedelta(seconds=60)  # a broker that has not brought by then what had to be fetched past it keeps it, or lost it
PAST_THE_BROKER = "direct line"  # where a record that cannot be opened came from, in place of a topic

log = logging.getLogger(__name__)


class Line(Protocol):
    """The direct line, as this module asks it; `DirectLine` is one."""

    async def state(self, peer: str, envelope: bytes) -> bytes:
        """Gives the peer a statement and returns the peer's; raises LineAway, or NotOpened."""
        ...

    async def events(self, peer: str, stream: StreamName, first: int, last: int) -> list[bytes]:
        """Sealed envelopes of slots first..last; raises LineAway."""
        ...

    async def directory(self, peer: str, known: int) -> bytes:
        """Lines of the peer's directory after those that are known; raises LineAway."""
        ...


@dataclass(slots=True)
class Report:
    """What a comparison with one peer came to."""

    peer: str
    in_step: bool = False
    received: int = 0  # events of the peer's that were not here
    returned: int = 0  # words of ours that came home
    bypassed: int = 0  # of what came past the broker earlier, what it has not brought since
    away: str | None = None  # why it could not be compared

    @property
    def words(self) -> str:
        """One line for a terminal."""
        if self.away is not None:
            return f"{self.peer}: not compared. {self.away}"
        found = f"{self.received} events of its were missing here, {self.returned} words of ours came home"
        past = f", {self.bypassed} came past a broker that has not brought them since" if self.bypassed else ""
        return f"{self.peer}: {'in step' if self.in_step else 'not in step yet'}; {found}{past}."


class Reconciler:
    """One agency's end of the comparison, asking and answering."""

    def __init__(
        self, database: Database, agency: str, seal: Seal, inbox: Inbox, letters: Letters, anchor: Anchor | None = None,
        is_brought: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        """`is_brought`: whether the broker has answered here for as long as whatever a peer gives it takes to come."""
        self._database, self._agency, self._seal, self._inbox, self._letters = database, agency, seal, inbox, letters
        self._anchor, self.is_brought = anchor, is_brought
        self._since = database.clock.real()  # this process may have begun to listen to the broker then, and not before

    # --- answering -------------------------------------------------------------------------------------------------------

    async def take_statement(self, peer: str, envelope: bytes) -> bytes:
        """The peer's statement in, ours out: its short form where both are the same; raises Unopenable, DatabaseAway or KeyAway."""
        inner = self._open(envelope, peer)
        statement = await self._letters.take(inner)
        short, digest = await self._letters.write_short(peer)
        if statement.summary is not None and statement.summary == digest:
            await self._note(peer, in_step=True)
            return short
        return (await self._letters.write(peer, asks_all=True))[0]

    def directory(self, peer: str, known: int) -> bytes:
        """Lines of our directory of keys that a peer does not know yet, as it says."""
        told = self._seal.lines_for(peer, known)
        return told.to_bytes() if told is not None else b""

    def _open(self, envelope: bytes, peer: str) -> Inner:
        inner = self._seal.open(envelope, peer)
        if inner.header.sender != peer or inner.header.kind is not Kind.STATEMENT:
            raise Unopenable("it is not a statement of the agency that brings it")
        return inner

    async def events(self, peer: str, stream: StreamName, first: int, last: int) -> list[bytes]:
        """What is held of a stream between the two, sealed for the peer: its own words, or ours. Raises DatabaseAway, KeyAway or
        AnchorAway."""
        self._letters.check()
        last = min(last, first + EVENTS_MAX - 1)
        async with self._database.read() as tx:
            if (stream.sender, stream.recipient) == (peer, self._agency):
                words, _ = await held_of(tx, peer, [Recall(incarnation=stream.incarnation, first=first, last=last)])
            elif (stream.sender, stream.recipient) == (self._agency, peer):
                ours = await _ours(tx, peer, stream.incarnation, first, last)
                if self._anchor is not None and ours:  # it leaves here as well as by the broker
                    # Its lock is a file's: waited for in this loop it would stop whoever of this process holds it.
                    await asyncio.to_thread(self._anchor.cover, stream.incarnation, peer, ours[-1][0])
                words = [word for _seq, word in ours]
            else:
                words = []
        return [self._seal.seal(word, peer) for word in words]

    async def recall_keys(self) -> None:
        """Takes up what letters have told of peers' keys, in a process that has heard none. Raises DatabaseAway."""
        with contextlib.suppress(Unopenable):
            await recall_lines(self._database, self._seal)

    # --- asking ----------------------------------------------------------------------------------------------------------

    async def reconcile(self, peer: str, line: Line, *, is_patient: bool = False) -> Report:
        """Compares with one peer until both are in step or nothing more can be had. Raises DatabaseAway.

        `is_patient`: what may lie unread on the broker is left for it to bring. Fetched too, a backlog would come twice.
        """
        report = Report(peer)
        try:
            async with asyncio.timeout(COMPARISON_S):
                try:
                    await self._compare(peer, line, report, is_patient=is_patient)
                except NotOpened:
                    # What we know of its keys may be from before it destroyed the one that we seal to.
                    if not await self._learn_keys(peer, line):
                        raise
                    await self._compare(peer, line, report, is_patient=is_patient)
        except TimeoutError:
            pass  # not in step yet: what came so far is kept, and the next comparison goes on from there
        except (LineAway, KeyAway) as error:
            report.away = str(error)
        except Unopenable as error:
            report.away = f"'{peer}' answered with what cannot be opened here: {error}."
        async with self._database.write() as tx:
            await note_step(tx, peer, in_step=report.in_step)
            report.bypassed = await _kept_by_broker(tx, peer)
            if report.bypassed:
                await self._letters.trouble_in(tx, "broker_silent", peer, {"count": report.bypassed})
        return report

    async def _compare(self, peer: str, line: Line, report: Report, *, is_patient: bool) -> None:
        moved = 0
        for _ in range(ROUNDS_MAX):
            if await self._agree(peer, line, signs=moved > 0):
                report.in_step = True
                break
            moved = await self._fetch(peer, line, report, is_patient=is_patient)
            if not moved:
                report.in_step = await self._agree(peer, line)
                break

    async def _learn_keys(self, peer: str, line: Line) -> int:
        """Asks for what we do not know of the peer's directory, an answer's worth at a time; returns how many lines were new."""
        new = more = await self._letters.take_lines(peer, await line.directory(peer, self._seal.knows_in_full(peer)))
        while more:
            more = await self._letters.take_lines(peer, await line.directory(peer, self._seal.knows(peer)))
            new += more
        return new

    async def _agree(self, peer: str, line: Line, *, signs: bool = False) -> bool:
        """One exchange of hashes; where they differ, or a hash is not enough, of whole statements. True where the pair is in step.

        `signs`: something was fetched just now, and the peer waits for a signature under it.
        """
        short, digest = await self._letters.write_short(peer)
        is_alike = (await self._exchange(peer, line, short)).summary == digest
        async with self._database.read() as tx:
            is_enough = is_alike and not signs and not await _must_ask(tx, peer)
        if not is_enough:
            await self._exchange(peer, line, (await self._letters.write(peer, asks_all=True))[0])
        return is_alike

    async def _exchange(self, peer: str, line: Line, envelope: bytes) -> Statement:
        answer = await line.state(peer, envelope)
        try:
            return await self._letters.take(self._open(answer, peer))
        except Unopenable:
            # It may be signed with a key that we have yet to hear of.
            if not await self._learn_keys(peer, line):
                raise
            return await self._letters.take(self._open(answer, peer))

    async def _fetch(self, peer: str, line: Line, report: Report, *, is_patient: bool) -> int:
        """Fetches a page of each stream of the peer's that has a hole, and of each of ours that is asked back."""
        moved = 0
        for recall in await self._holes(peer, is_patient=is_patient):
            stream = StreamName(peer, self._agency, recall.incarnation)
            moved += await self._receive(peer, await line.events(peer, stream, recall.first, recall.last), report)
        for recall in await self._letters.recalled(peer):
            stream = StreamName(self._agency, peer, recall.incarnation)
            opened = await self._opened(peer, self._agency, await line.events(peer, stream, recall.first, recall.last))
            home = await self._letters.take_home(peer, list(opened))
            report.returned, moved = report.returned + home, moved + home
        return moved

    async def _holes(self, peer: str, *, is_patient: bool) -> list[Recall]:
        async with self._database.read() as tx:
            query = select(ReceivedHead).where(col(ReceivedHead.sender) == peer)
            heads = list((await tx.session.execute(query)).scalars())
            return [hole for head in heads for hole in await _holes_of(tx, head, self._since if is_patient else None)]

    async def _opened(self, peer: str, sender: str, envelopes: Iterable[bytes]) -> dict[Inner, bytes]:
        """What can be opened of a page and is `sender`'s, each with its envelope; the rest leaves a trace and stops nothing."""
        opened: dict[Inner, bytes] = {}
        for envelope in envelopes:
            try:
                inner = self._seal.open(envelope, peer)
            except Unopenable as error:
                await self._note_unopenable(peer, envelope, str(error))
                continue
            if inner.header.sender == sender:
                opened[inner] = envelope
        return opened

    async def _note_unopenable(self, peer: str, envelope: bytes, reason: str) -> None:
        place = (PAST_THE_BROKER, 0, int(self._database.clock.real().timestamp()))
        await self._letters.note_unopenable(peer, envelope, place, reason)

    async def _receive(self, peer: str, envelopes: Iterable[bytes], report: Report) -> int:
        events, is_brought = list[Heard](), self.is_brought()
        opened = await self._opened(peer, peer, envelopes)
        for inner, envelope in opened.items():
            try:
                events.append(heard(inner, is_express=True, is_bypassed=is_brought))
            except Unopenable as error:
                await self._note_unopenable(peer, envelope, str(error))
        outcome = await self._inbox.receive(events)
        for one, fault in outcome.unstorable:
            await self._note_unopenable(peer, opened[one.signed], f"it cannot be stored ({fault})")
        fresh = len(events) - outcome.duplicates - len(outcome.unstorable)
        report.received += fresh
        if outcome.streams:
            self._letters.heard_from(peer)
        return fresh

    async def _note(self, peer: str, *, in_step: bool) -> None:
        async with self._database.write() as tx:
            await note_step(tx, peer, in_step=in_step)


async def _must_ask(tx: Transaction, peer: str) -> bool:
    """Whether something is to be asked that only a whole statement asks and answers: what it knew of us before a restore, what it
    has become of a word that others here wait for, or its signature under what we have said."""
    return await is_awaited(tx, peer) or bool(await enquiries(tx, peer)) or await _is_unsigned(tx, peer)


async def _is_unsigned(tx: Transaction, peer: str) -> bool:
    signed = (
        select(func.max(col(HeldReceipt.upto)))
        .where(col(HeldReceipt.peer) == peer, col(HeldReceipt.incarnation) == col(Stream.incarnation))
        .scalar_subquery()
    )
    query = select(col(Stream.incarnation)).where(col(Stream.recipient) == peer, col(Stream.size) > func.coalesce(signed, 0))
    return (await tx.session.execute(query.limit(1))).first() is not None


async def note_step(tx: Transaction, peer: str, *, in_step: bool) -> None:
    """Keeps since when a pair is in step, or is not."""
    await tx.session.execute(insert_if_absent(tx, Peer), [{"peer": peer}])
    here = col(Peer.peer) == peer
    if in_step:
        values = {"in_step_at": tx.clock.now(), "spoke_at": tx.clock.now(), "behind_since": None}
        await tx.session.execute(update(Peer).where(here).values(**values))
    else:
        await tx.session.execute(update(Peer).where(here, col(Peer.behind_since).is_(None)).values(behind_since=tx.clock.now()))


async def _kept_by_broker(tx: Transaction, peer: str) -> int:
    """How many events were fetched past the broker and have not been brought by it since, though nothing of their stream is under
    way any more, or what stood behind them has come. Each is told of once."""
    late = tx.clock.real() - BYPASSED_AFTER
    head, behind = ReceivedHead.__table__, ReceivedSlot.__table__.alias("behind")  # type: ignore[attr-defined]
    this = (col(ReceivedSlot.sender), col(ReceivedSlot.incarnation))
    is_moving = exists().where(head.c.sender == this[0], head.c.incarnation == this[1], head.c.heard_at > late)
    is_passed = exists().where(
        behind.c.sender == this[0], behind.c.incarnation == this[1], behind.c.seq > col(ReceivedSlot.seq), ~behind.c.is_express,
        behind.c.received_at <= late,
    )  # fmt: skip
    kept = update(ReceivedSlot).where(
        col(ReceivedSlot.is_bypassed), col(ReceivedSlot.sender) == peer, col(ReceivedSlot.received_at) <= late,
        or_(~is_moving, is_passed),
    )  # fmt: skip
    told = kept.values(is_bypassed=False).returning(col(ReceivedSlot.seq)).execution_options(synchronize_session=False)
    return len((await tx.session.execute(told)).all())


async def _holes_of(tx: Transaction, head: ReceivedHead, since: datetime | None) -> list[Recall]:
    """The first stretch that is not held, at most a page: what lies above it is asked for in the next round.

    `since` this process has listened to the broker, where that may still bring it: while something of the stream comes, only what
    stood before what has come a while ago is taken for lost.
    """
    end = max(head.announced, head.highest)
    if since is not None and tx.clock.real() - max(since, head.heard_at or since) < STILL:
        overdue = select(func.max(col(ReceivedSlot.seq))).where(
            col(ReceivedSlot.sender) == head.sender, col(ReceivedSlot.incarnation) == head.incarnation,
            col(ReceivedSlot.seq) > head.upto, ~col(ReceivedSlot.is_express),
            col(ReceivedSlot.received_at) <= tx.clock.real() - OVERDUE,
        )  # fmt: skip
        end = int((await tx.session.execute(overdue)).scalar_one() or head.upto)
    query = (
        select(col(ReceivedSlot.seq))
        .where(
            col(ReceivedSlot.sender) == head.sender, col(ReceivedSlot.incarnation) == head.incarnation,
            col(ReceivedSlot.seq) > head.upto,
        )
        .order_by(col(ReceivedSlot.seq))
        .limit(said.RANGE_SLOTS_MAX)
    )  # fmt: skip
    held = [int(seq) for seq in (await tx.session.execute(query)).scalars()]
    found: list[Recall] = []
    start = head.upto + 1
    for seq in [*(seq for seq in held if seq <= end), end + 1]:
        if seq > start and len(found) < RECALLS_MAX:
            found.append(Recall(incarnation=head.incarnation, first=start, last=min(seq - 1, start + EVENTS_MAX - 1)))
        start = max(start, seq + 1)
    return found


async def _ours(tx: Transaction, peer: str, incarnation: UUID, first: int, last: int) -> list[tuple[int, bytes]]:
    mine = (*said.slots(peer, incarnation, first, last), col(OutboxRow.erased_at).is_(None))
    query = select(col(OutboxRow.seq), as_it_lies(OutboxRow.inner)).where(*mine).order_by(col(OutboxRow.seq))
    opens, words = sealed_columns(OutboxRow)["inner"], list[tuple[int, bytes]]()
    for seq, held in (await tx.session.execute(query)).tuples():
        with contextlib.suppress(*CANNOT_OPEN):  # that slot stays a gap there; the others go on
            words += [] if held is None else [(int(seq or 0), opens.open(held, tx.keys))]
    return words


async def run_reconciler(reconciler: Reconciler, line: Line, peers: Sequence[str], stop: asyncio.Event) -> None:
    """Compares with every peer on a timer until `stop` is set; one that is slow or away keeps no other waiting."""
    await asyncio.gather(*(_compare_on_a_timer(reconciler, line, peer, stop) for peer in peers))


async def _compare_on_a_timer(reconciler: Reconciler, line: Line, peer: str, stop: asyncio.Event) -> None:
    """Soon where the pair is not in step, or speaks past the broker alone; else once a period."""
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        began, report = loop.time(), None
        try:
            report = await reconciler.reconcile(peer, line, is_patient=True)
            if report.received or report.returned or report.away:
                log.info("reconciled", extra={"peer": peer, "received": report.received, "returned": report.returned,
                                              "in_step": report.in_step, "words": report.away})  # fmt: skip
        except DatabaseAway:
            pass  # the next comparison goes on from what was fetched so far
        except Exception as error:
            log.error("not_reconciled", extra={"peer": peer, "because": type(error).__name__})
        ended = loop.time()
        # Judged anew while it waits: a broker that dies meanwhile leaves this line alone.
        while (left := pause_s(report, ended - began, is_brought=reconciler.is_brought()) - (loop.time() - ended)) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(left, HURRY_S))
                return


def pause_s(report: Report | None, took_s: float, *, is_brought: bool) -> float:
    """How long to wait after a comparison, in seconds; `report` None where it failed here."""
    if report is None or not is_brought:
        return HURRY_S  # it is all that there is
    if report.in_step:
        return PERIOD_S
    if report.received + report.returned > took_s * WORTH_PER_S:
        return HURRY_S
    return min(PERIOD_S, max(HURRY_S, took_s / SHARE_MAX))
