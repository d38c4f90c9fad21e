"""The third courier: what waits for other agencies on a stick, sealed and signed as it would travel by the broker.

A file is `MAGIC | format (1 byte)`, then envelopes, each after its length (4 bytes, big-endian), then a length of 0 and the SHA-256
of all before. It shows ciphertext, suites and key ids, and nothing else: not even who wrote it. What is taken from it goes the way
that everything goes, so a file that is taken twice, or that comes beside a line that works, changes nothing. Files that somebody
joined into one are taken as what they were, whoever wrote each.
"""

import contextlib
import hashlib
import os
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select
from sqlmodel import col

from shared.contracts.wire.envelope import Inner, Kind, Unopenable
from shared.exchange import streams
from shared.exchange.anchor import Anchor
from shared.exchange.direct import ENVELOPE_BYTES_MAX, PAGE_BYTES_MAX, pack, unpack
from shared.exchange.inbox import Heard, Inbox, heard
from shared.exchange.keyring import KeyAway
from shared.exchange.letters import Letters
from shared.exchange.relay import cover
from shared.exchange.seal import ANOTHERS, KeyedSeal
from shared.exchange.tables import InboxRow, InboxState, OutboxRow, Peer
from shared.kit.bulk import among
from shared.kit.db import Database
from shared.kit.errors import RefnetError
from shared.kit.files import OWNER_ONLY, check_new, sync_folder, write_whole
from shared.kit.keystore import CANNOT_OPEN
from shared.kit.sealed import as_it_lies, sealed_columns

MAGIC = b"refnet carry\n"
FORMAT = 1
FILE_BYTES_MAX = 64 * 1024**2  # any stick has room for it, and the poorest writes it in a minute: some 50,000 events
FILE_BYTES_MIN = 160 * 1024  # below this a letter and one event of the largest size may not fit
BATCH = 500  # events taken in one transaction, as many as the broker brings at a time
STEP_BYTES = 1024**2  # read at a time where a file is only counted
KEPT_BYTES_MAX = (
    PAGE_BYTES_MAX // 2
)  # of answers that wait for a stick to one peer, in a page; the oldest go, and are asked for anew

_LENGTH = struct.Struct(">I")
_END = _LENGTH.pack(0)
_HEAD = MAGIC + bytes([FORMAT])
_DIGEST_BYTES = hashlib.sha256().digest_size
END_BYTES = len(_END) + _DIGEST_BYTES
CARRIED = ".carried"  # after a peer's name: answers that were on a stick
PAST_THE_BROKER = "stick"  # where a record that cannot be opened came from, in place of a topic

Step = Callable[[int], None]  # is told how many envelopes are done


@dataclass(slots=True)
class Written:
    """What a file holds: events for each peer, what did not fit or could not be written, and where another file goes on."""

    events: Counter[str] = field(default_factory=Counter)
    left: int = 0  # events that did not fit
    after: int | None = None  # the last position that is in the file, where something is left
    shut: int = 0  # words whose key is not in the keystore
    away: dict[str, str] = field(default_factory=dict)  # peers for which nothing could be written, and why
    size: int = 0  # bytes


@dataclass(slots=True)
class FromOne:
    """What came of one sender's events and letters."""

    sender: str
    events: int = 0
    fresh: int = 0  # of them, those that were not here
    applied: int = 0
    waiting: int = 0  # for an earlier one, which is not here yet
    parked: int = 0  # somebody must look at them
    letters: int = 0
    returned: int = 0  # words of ours that came home
    ids: list[UUID] = field(default_factory=list)


@dataclass(slots=True)
class Taken:
    """What came of a file. `fault` is what is wrong with it as a whole: "short", "altered" or None."""

    streams: dict[str, FromOne] = field(default_factory=dict)  # by sender; several where files were joined
    fault: str | None = None
    unopened: int = 0  # sealed for us, and not to be opened
    others: Counter[str] = field(default_factory=Counter)  # sealed for other agencies; "" where it is not known for whom

    @property
    def of(self) -> FromOne | None:
        """What came of the file's writer, the first of them where it was joined."""
        return next(iter(self.streams.values()), None)


@dataclass(frozen=True, slots=True)
class Held:
    """What waits here for a stick to one peer."""

    peer: str
    events: int
    since: datetime | None  # when the oldest of them was said
    answers: int  # that are kept since it was last heard by stick


class Carrier:
    """One agency's end of the stick. `kept` is the folder for answers that the next file carries back: sealed, as they are told."""

    def __init__(
        self, database: Database, agency: str, peers: Sequence[str], seal: KeyedSeal, inbox: Inbox, letters: Letters,
        anchor: Anchor | None, kept: Path,
    ) -> None:  # fmt: skip
        self._database, self._agency, self._peers, self.seal = database, agency, tuple(peers), seal
        self._inbox, self._letters, self._anchor, self._kept = inbox, letters, anchor, kept

    # --- writing ---------------------------------------------------------------------------------------------------------

    async def export(
        self, file: Path, peers: Collection[str], *, after: int = 0, bytes_max: int = FILE_BYTES_MAX, step: Step = lambda _: None
    ) -> Written:
        """Writes what these peers have not signed for, and where this agency stands; raises RefnetError, and then there is no file.

        Nothing is marked as sent: a stick in a drawer has told nobody. `after`: what a former file that was full ended with.
        """
        assert bytes_max >= FILE_BYTES_MIN, "a file holds a letter and an event at least"
        check_new(file)
        written = Written()
        part = file.with_name(f".{file.name}.part")
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY), "wb") as handle:
                out = _Out(handle, bytes_max)
                await self._write(out, sorted(peers), after, written, step)
                written.size = out.end()
                handle.flush()
                os.fsync(handle.fileno())
            part.replace(file)
            sync_folder(file.parent)
            self._mark_carried(peers, written)
        except OSError as error:
            raise RefnetError(f"{file} could not be written ({error.strerror}); look after the stick, and export again.") from error
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        return written

    async def _write(self, out: "_Out", peers: Sequence[str], after: int, written: Written, step: Step) -> None:
        reached = []
        for peer in peers:
            try:
                letters = await self._letters_to(peer)
            except KeyAway as error:
                written.away[peer] = str(error)
                continue
            reached.append(peer)
            for letter in letters:
                out.put(letter)  # one that does not fit is asked for again
        for peer in reached:
            await self._number(peer, written)
        async for position, recipient, inner in self._unconfirmed(reached, after, written):
            if not out.put(self.seal.seal(inner, recipient)):
                written.left = await self._count(reached, written.after or after)
                break
            written.after = position
            written.events[recipient] += 1
            step(written.events.total())
        if not written.left:
            written.after = None

    async def _letters_to(self, peer: str) -> list[bytes]:
        async with self._database.read() as tx:
            known = await tx.session.get(Peer, peer)
        # Lines go first: what follows may be signed with a key that they tell of. What was asked here by stick is answered last.
        lines = await self._letters.write_lines(peer, known.knows_lines if known is not None else 0)
        return [*lines, *await self._letters.write(peer, asks_all=True), *self._answers_to(peer)]

    async def _number(self, peer: str, written: Written) -> None:
        shut: dict[int, UUID] = {}
        while rows := await streams.number(self._database, self._agency, peer, self.seal, shut):
            cover(self._anchor, peer, rows)
        written.shut += len(shut)

    async def _unconfirmed(self, peers: Sequence[str], after: int, written: Written) -> AsyncIterator[tuple[int, str, bytes]]:
        opens = sealed_columns(OutboxRow)["inner"]
        while True:
            async with self._database.read() as tx:
                query = (
                    select(col(OutboxRow.position), col(OutboxRow.recipient), as_it_lies(OutboxRow.inner))
                    .where(*_waits(peers, after)).order_by(col(OutboxRow.position)).limit(BATCH)
                )  # fmt: skip
                rows = (await tx.session.execute(query)).tuples().all()
                opened: list[tuple[int, str, bytes]] = []
                for position, recipient, held in rows:
                    try:
                        opened.append((int(position or 0), recipient, opens.open(held, tx.keys)))
                    except CANNOT_OPEN:
                        written.shut += 1
            for peer in {recipient for _, recipient, _ in opened}:
                await self._cover_what_is_said(peer, [position for position, recipient, _ in opened if recipient == peer])
            for one in opened:
                yield one
            if len(rows) < BATCH:
                return
            after = int(rows[-1][0] or 0)

    async def _cover_what_is_said(self, peer: str, positions: Sequence[int]) -> None:
        """A relay of this agency may have numbered some of them and not yet moved the anchor: nothing leaves before that."""
        if self._anchor is None:
            return
        async with self._database.read() as tx:
            query = select(col(OutboxRow.incarnation), func.max(col(OutboxRow.seq))).where(col(OutboxRow.position).in_(positions))
            highest = (await tx.session.execute(query.group_by(col(OutboxRow.incarnation)))).tuples().all()
        for incarnation, seq in highest:
            if incarnation is not None and seq is not None:
                self._anchor.cover(incarnation, peer, seq)

    async def _count(self, peers: Sequence[str], after: int) -> int:
        async with self._database.read() as tx:
            query = select(func.count()).select_from(OutboxRow).where(*_waits(peers, after))
            return int((await tx.session.execute(query)).scalar_one())

    async def held(self, peers: Collection[str]) -> list[Held]:
        """What a stick to each of these peers would hold now. Nothing is written by it, and nothing numbered."""
        waits = (
            col(OutboxRow.inner).is_not(None) | col(OutboxRow.seq).is_(None), col(OutboxRow.erased_at).is_(None),
            ~col(OutboxRow.is_forked), or_(col(OutboxRow.delivered_at).is_(None), col(OutboxRow.is_due)),
        )  # fmt: skip
        query = select(col(OutboxRow.recipient), func.count(), func.min(col(OutboxRow.recorded_at)))
        async with self._database.read() as tx:
            rows = await tx.session.execute(
                query.where(col(OutboxRow.recipient).in_(peers), *waits).group_by(col(OutboxRow.recipient))
            )
            found = {peer: (int(count), since) for peer, count, since in rows.tuples()}
        nothing: tuple[int, datetime | None] = (0, None)
        return [Held(peer, *found.get(peer, nothing), answers=len(self._answers_to(peer))) for peer in sorted(peers)]

    # --- answers that wait for a stick -----------------------------------------------------------------------------------

    def _kept_of(self, peer: str) -> tuple[Path, Path]:
        """Where answers lie that were on a stick already, which may be lost, and those that were not."""
        return self._kept / f"{peer}{CARRIED}", self._kept / peer

    def _answers_to(self, peer: str) -> list[bytes]:
        return [letter for file in self._kept_of(peer) for letter in _unpacked(file)]

    async def _keep_answer(self, peer: str) -> None:
        """What several files asked for is all kept until a stick takes it. Who speaks again has what one took, or asks anew."""
        try:
            answer = await self._letters.write(peer, asks_all=True)
        except KeyAway:
            return  # its directory of keys is to be brought first; the export says so
        carried, kept = self._kept_of(peer)
        letters = [*_unpacked(kept), *answer]
        while len(letters) > len(answer) and sum(map(len, letters)) > KEPT_BYTES_MAX:
            letters.pop(0)
        write_whole(kept, pack(letters))
        carried.unlink(missing_ok=True)

    def _mark_carried(self, peers: Collection[str], written: Written) -> None:
        for peer in peers:
            carried, kept = self._kept_of(peer)
            if peer not in written.away and kept.exists():
                kept.replace(carried)

    # --- taking ----------------------------------------------------------------------------------------------------------

    async def take(self, file: Path, step: Step = lambda _: None) -> Taken:
        """Takes what a file has for this agency; a second time changes nothing. Raises RefnetError where it is none, or of a newer
        version, and DatabaseAway: what was taken until then stays, and is known again."""
        taken = Taken(fault=fault_of(file))
        try:
            with file.open("rb") as handle:
                await self._take(_parts(handle), taken, step)
        except OSError as error:
            raise RefnetError(f"{file} could not be read to its end ({error.strerror}); import it again.") from error
        if taken.streams:
            await self._inbox.sweep()
        for of in taken.streams.values():
            await self._tell_states(of)
            await self._keep_answer(of.sender)
        return taken

    async def _take(self, parts: Iterator[Iterator[bytes]], taken: Taken, step: Step) -> None:
        count = 0
        for envelopes in parts:
            count = await self._take_part(envelopes, taken, step, count)

    async def _take_part(self, envelopes: Iterator[bytes], taken: Taken, step: Step, count: int) -> int:
        """Takes one file, or one of those that were joined; how many envelopes were seen by then. It has one writer."""
        events: dict[bytes, tuple[Heard, bytes]] = {}
        of: FromOne | None = None
        for envelope in envelopes:
            count += 1
            addressee = self.seal.addressee(envelope)
            if addressee != self._agency:
                taken.others[addressee or ""] += 1
                continue
            sender, inner = await self._opened(envelope, of.sender if of is not None else None, taken)
            if inner is None:
                continue
            of = of or taken.streams.setdefault(sender, FromOne(sender))
            if inner.header.kind is Kind.EVENT and inner.header.sender == sender:
                await self._collect(inner, envelope, events, taken)
                if len(events) >= BATCH:
                    await self._receive(events, of, taken)
            else:
                await self._receive(events, of, taken)  # what was said before a letter is heard before it
                await self._take_letter(inner, envelope, of, taken)
            step(count)
        if of is not None:
            await self._receive(events, of, taken)
        return count

    async def _opened(self, envelope: bytes, writer: str | None, taken: Taken) -> tuple[str, Inner | None]:
        """Who sealed it, and what it says, None where it does not open. A file has one writer, whom its first word shows."""
        fault = ANOTHERS
        for peer in (writer,) if writer is not None else self._peers:
            try:
                return peer, self.seal.open(envelope, peer)
            except Unopenable as error:
                fault = str(error)
                if fault != ANOTHERS:  # it is this peer's, and something else is wrong with it
                    await self._note(peer, envelope, fault)
                    break
        else:
            if writer is not None:
                await self._note(writer, envelope, fault)
        taken.unopened += 1
        return "", None

    async def _collect(self, inner: Inner, envelope: bytes, events: dict[bytes, tuple[Heard, bytes]], taken: Taken) -> None:
        try:
            events[inner.raw] = (heard(inner), envelope)
        except Unopenable as error:
            taken.unopened += 1
            await self._note(inner.header.sender, envelope, str(error))

    async def _receive(self, events: dict[bytes, tuple[Heard, bytes]], of: FromOne, taken: Taken) -> None:
        if not events:
            return
        outcome = await self._inbox.receive([one for one, _ in events.values()])
        for one, why in outcome.unstorable:
            taken.unopened += 1
            await self._note(of.sender, events[one.signed.raw][1], f"it cannot be stored ({why})")
        of.events += len(events)
        of.fresh += len(events) - outcome.duplicates - len(outcome.unstorable)
        of.ids += [one.event.id for one, _ in events.values()]
        events.clear()

    async def _take_letter(self, inner: Inner, envelope: bytes, of: FromOne, taken: Taken) -> None:
        try:
            of.returned += await self._letters.take_any(of.sender, inner)
            of.letters += 1
        except Unopenable as error:
            taken.unopened += 1
            await self._note(of.sender, envelope, str(error))

    async def _note(self, sender: str, envelope: bytes, reason: str) -> None:
        place = (PAST_THE_BROKER, 0, int(self._database.clock.real().timestamp()))
        await self._letters.note_unopenable(sender, envelope, place, reason)

    async def _tell_states(self, of: FromOne) -> None:
        """What has become of the file's events by now."""
        states: Counter[str] = Counter()
        async with self._database.read() as tx:
            for start in range(0, len(of.ids), BATCH):
                here = (col(InboxRow.sender) == of.sender, among(tx, col(InboxRow.event_id), set(of.ids[start : start + BATCH])))
                query = select(col(InboxRow.state), func.count()).where(*here).group_by(col(InboxRow.state))
                states.update(dict((await tx.session.execute(query)).tuples().all()))
        of.waiting, of.parked = states[InboxState.WAITING], states[InboxState.PARKED]
        of.applied = states.total() - of.waiting - of.parked


def _waits(peers: Sequence[str], after: int) -> tuple[ColumnElement[bool], ...]:
    """What a peer has not signed for, or has asked for again, and whose words are here."""
    return (
        col(OutboxRow.recipient).in_(peers), col(OutboxRow.seq).is_not(None), col(OutboxRow.inner).is_not(None),
        col(OutboxRow.erased_at).is_(None), ~col(OutboxRow.is_forked),
        or_(col(OutboxRow.delivered_at).is_(None), col(OutboxRow.is_due)), col(OutboxRow.position) > after,
    )  # fmt: skip


# --- the file ----------------------------------------------------------------------------------------------------------------


class _Out:
    """A file that is being written, with room for its end."""

    def __init__(self, handle: BinaryIO, bytes_max: int) -> None:
        self._handle, self._room = handle, bytes_max - END_BYTES
        self._digest, self._size = hashlib.sha256(), 0
        self._write(_HEAD)

    def put(self, envelope: bytes) -> bool:
        """Writes an envelope; False where there is no room for it, and then nothing."""
        if self._size + _LENGTH.size + len(envelope) > self._room:
            return False
        self._write(_LENGTH.pack(len(envelope)) + envelope)
        return True

    def end(self) -> int:
        """Writes the end; how many bytes it all is."""
        self._write(_END)
        self._handle.write(self._digest.digest())
        return self._size + _DIGEST_BYTES

    def _write(self, content: bytes) -> None:
        self._handle.write(content)
        self._digest.update(content)
        self._size += len(content)


def fault_of(file: Path) -> str | None:
    """What is wrong with a file as a whole: "short" or "altered"; None where nothing is. Raises RefnetError where it is none."""
    try:
        size = file.stat().st_size
        with file.open("rb") as handle:
            head = handle.read(len(_HEAD))
            if head[: len(MAGIC)] != MAGIC[: len(head)] or not head:
                raise RefnetError(f"{file} is not a file of `refnet carry export`; choose the one that the other agency wrote.")
            if len(head) == len(_HEAD) and head[-1] > FORMAT:
                raise RefnetError(
                    f"{file} was written by a newer version; bring this one up to date, then import it. It stays good."
                )
            if len(head) < len(_HEAD) or size < len(_HEAD) + END_BYTES:
                return "short"
            if _is_whole(handle, head):
                return None
            handle.seek(size - END_BYTES)
            last = handle.read(len(_END))
    except OSError as error:
        raise RefnetError(f"{file} cannot be read ({error.strerror}); bring the stick, or correct the name.") from error
    return "altered" if last == _END else _by_its_frames(file)


def _is_whole(handle: BinaryIO, head: bytes) -> bool:
    """Whether what follows this head is a file to its end, or several that were joined, each with its own."""
    while head == _HEAD:
        digest = hashlib.sha256(head)
        while (length := handle.read(_LENGTH.size)) not in (_END, b""):
            digest.update(length)
            (left,) = _LENGTH.unpack(length) if len(length) == _LENGTH.size else (0,)
            while left and (part := handle.read(min(left, STEP_BYTES))):
                digest.update(part)
                left -= len(part)
        digest.update(length)
        if handle.read(_DIGEST_BYTES) != digest.digest():
            return False
        head = handle.read(len(_HEAD))
        if not head:
            return True
    return False


def _by_its_frames(file: Path) -> str:
    """Whether a file without a good end was cut, or changed in the middle: a cut one is whole up to where it stops."""
    with file.open("rb") as handle:
        handle.seek(len(_HEAD))
        while (length := handle.read(_LENGTH.size)) and len(length) == _LENGTH.size:
            (count,) = _LENGTH.unpack(length)
            if count == 0 and len(handle.read(_DIGEST_BYTES)) == _DIGEST_BYTES:
                if handle.read(len(_HEAD)) != _HEAD:
                    return "altered"
                continue  # another was joined to it
            if count > ENVELOPE_BYTES_MAX:
                return "altered"
            if len(handle.read(count)) < count:
                break
    return "short"


def _parts(handle: BinaryIO) -> Iterator[Iterator[bytes]]:
    """The envelopes of a file, as far as its frames go; of joined files, of each. One is read to its end before the next."""
    while handle.read(len(_HEAD)) == _HEAD:
        yield _envelopes(handle)
        handle.read(_DIGEST_BYTES)


def _envelopes(handle: BinaryIO) -> Iterator[bytes]:
    while len(length := handle.read(_LENGTH.size)) == _LENGTH.size:
        (count,) = _LENGTH.unpack(length)
        if not 0 < count <= ENVELOPE_BYTES_MAX:
            return
        envelope = handle.read(count)
        if len(envelope) < count:
            return
        yield envelope


def _unpacked(file: Path) -> list[bytes]:
    try:
        return unpack(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return []  # what is asked for and not answered is asked for again
