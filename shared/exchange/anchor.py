"""The anchor: a small file outside the database that says how far its streams went, moved before anything numbered is sent.

A database that is behind its anchor is an older copy of itself: whatever it numbered next would repeat numbers that peers hold.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from sqlalchemy import select, text
from sqlmodel import col

from shared.exchange.incarnations import current_incarnation, open_incarnation, remember_incarnation
from shared.exchange.registry import Hooks
from shared.exchange.said import slots
from shared.exchange.tables import Incarnation, OutboxRow, Stream
from shared.kit.db import Database, Transaction
from shared.kit.errors import RefnetError


class AnchorAway(RefnetError):
    """The anchor cannot be read or written; nothing is numbered or sent without it."""


@dataclass(slots=True)
class Marks:
    """What the anchor says: which database, which of its lives, and each stream's size as far as it may have been sent."""

    database: str
    incarnation: UUID
    sizes: dict[str, int] = field(default_factory=dict)


class Anchor:
    """One agency's anchor, shared by all its relays. Replaced whole, never written into."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._covered: dict[tuple[UUID, str], int] = {}  # what this process knows the file to say at least

    def read(self) -> Marks | None:
        """What it says, or None where there is none; raises AnchorAway."""
        try:
            written = self._path.read_text()
            if not written:
                return None  # a power cut may leave that of a file that was just replaced: as good as none, and a new life mends it
            said = json.loads(written)
            return Marks(said["database"], UUID(said["incarnation"]), {str(k): int(v) for k, v in said["sizes"].items()})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise AnchorAway(
                f"The anchor {self._path.name} beside the database cannot be read; mend its disk, or remove the file: then this "
                "agency asks its peers for everything it said."
            ) from error

    def write(self, marks: Marks) -> None:
        """Replaces it; raises AnchorAway.

        It is not waited for until it is on the disk: that costs 2 to 9 ms a batch here, of some 25 that a referral takes. A power
        cut may leave it some seconds behind a database that is whole, and behind is no misfit; the next batch moves it again.
        """
        said = {"database": marks.database, "incarnation": str(marks.incarnation), "sizes": marks.sizes}
        fresh = self._path.with_suffix(f".{os.getpid()}.new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps(said))
            fresh.replace(self._path)
        except OSError as error:
            raise AnchorAway(f"The anchor beside the database cannot be written ({error.strerror}); nothing is sent.") from error
        self._covered = {(marks.incarnation, recipient): size for recipient, size in marks.sizes.items()}

    def cover(self, incarnation: UUID, recipient: str, seq: int) -> None:
        """Moves it to at least `seq` before that is sent; raises AnchorAway. Numbers of ended lives need no cover."""
        if self._covered.get((incarnation, recipient), 0) >= seq:
            return
        with self.held():
            marks = self.read()
            if marks is None or marks.incarnation > incarnation:
                return  # another process has opened a new life meanwhile; a missing anchor opens one at the next start
            if marks.incarnation < incarnation:
                marks = Marks(marks.database, incarnation)  # this process opened it, on a peer's word
            if marks.sizes.get(recipient, 0) < seq:
                marks.sizes[recipient] = seq
                self.write(marks)
            self._covered[(incarnation, recipient)] = marks.sizes[recipient]

    @contextmanager
    def held(self) -> Iterator[None]:
        """One process at a time reads and replaces it."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise AnchorAway(f"The anchor beside the database cannot be locked ({error.strerror}); nothing is sent.") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


async def check_anchor(database: Database, anchor: Anchor, peers: tuple[str, ...], hooks: Hooks | None = None) -> str | None:
    """Compares the database with its anchor, before anything is numbered; opens a new life where they do not fit.

    `hooks` are told of it in the same transaction.
    Returns why, or None where all is well. Raises DatabaseAway or AnchorAway.
    """
    with anchor.held():
        marks = anchor.read()
        async with database.write() as tx:
            is_new = (await tx.session.execute(select(col(Incarnation.id)).limit(1))).first() is None
            identity, incarnation, sizes = await _identity(tx), await current_incarnation(tx, share=True), await _sizes(tx)
            # A database without an anchor beside it may be a copy from before its first number, unless it never lived at all.
            because = None if is_new and marks is None else _misfit(marks, identity, incarnation, sizes)
            if because is not None:
                incarnation, sizes = await _open(tx, marks, peers, because), {}
                if hooks is not None:
                    await hooks.is_older(tx)
            if because is not None or marks is None:
                anchor.write(Marks(identity, incarnation, sizes))  # before the commit: a life that was never opened is no harm
    return because


async def is_replaced(database: Database, anchor: Anchor) -> bool:
    """Whether a newer life than this database knows of has been opened elsewhere: then another copy has taken its place, and what
    works on this one is to keep still. Raises DatabaseAway or AnchorAway."""
    marks = anchor.read()
    if marks is None or not await _is_behind(database, marks.incarnation):
        return False
    with anchor.held():
        pass  # whoever opens a life commits it before letting go; nothing is awaited while we hold it: the relay here takes it too
    return await _is_behind(database, marks.incarnation)


async def _is_behind(database: Database, incarnation: UUID) -> bool:
    async with database.read() as tx:
        query = select(col(Incarnation.id)).where(col(Incarnation.is_current))
        known = (await tx.session.execute(query)).scalar_one_or_none()
    return known is not None and incarnation > known


def _misfit(marks: Marks | None, identity: str, incarnation: UUID, sizes: dict[str, int]) -> str | None:
    if marks is None:
        return "anchor_missing"
    if marks.database != identity:
        return "another_database"
    if marks.incarnation != incarnation or any(size > sizes.get(recipient, 0) for recipient, size in marks.sizes.items()):
        return "anchor_ahead"
    return None


async def _identity(tx: Transaction) -> str:
    """Which database this is: a PostgreSQL that was restored or promoted has another system or timeline."""
    if tx.dialect == "sqlite":
        return "sqlite"
    query = "SELECT s.system_identifier, c.timeline_id FROM pg_control_system() AS s, pg_control_checkpoint() AS c"
    system, timeline = (await tx.session.execute(text(query))).one()
    return f"postgresql:{system}:{timeline}"


async def _sizes(tx: Transaction) -> dict[str, int]:
    incarnation = await current_incarnation(tx)
    query = select(col(Stream.recipient), col(Stream.size)).where(col(Stream.incarnation) == incarnation, col(Stream.size) > 0)
    return {recipient: int(size) for recipient, size in (await tx.session.execute(query)).tuples()}


async def uncovered(tx: Transaction, anchor: Anchor) -> list[str]:
    """The peers to whom more was sent in this life of the database than its anchor covers: elsewhere something of this agency works
    beside an anchor of its own, or the file was lost. Raises AnchorAway."""
    life = (await tx.session.execute(select(col(Incarnation.id)).where(col(Incarnation.is_current)))).scalar_one_or_none()
    if life is None:
        return []
    sent = {recipient: await _last_sent(tx, recipient, life, size) for recipient, size in (await _sizes(tx)).items()}
    marks = anchor.read()  # after the database: it is moved before anything is sent
    if marks is not None and marks.incarnation > life:
        return []  # a newer life is told of by whoever works on this copy (`is_replaced`)
    sizes = marks.sizes if marks is not None and marks.incarnation == life else {}
    return sorted(recipient for recipient, seq in sent.items() if seq > sizes.get(recipient, 0))


async def _last_sent(tx: Transaction, recipient: str, life: UUID, size: int) -> int:
    """The highest number that left; what has a number and waits to be sent is mostly nothing, so a few rows are read."""
    query = select(col(OutboxRow.seq)).where(*slots(recipient, life, 1, size), col(OutboxRow.sent_at).is_not(None))
    return int((await tx.session.execute(query.order_by(col(OutboxRow.seq).desc()).limit(1))).scalar() or 0)


async def reopen(tx: Transaction, anchor: Anchor, peers: tuple[str, ...], because: str) -> UUID:
    """Opens a new life and moves the anchor to it, for a restore that somebody asked for."""
    fresh = await _open(tx, anchor.read(), peers, because)
    anchor.write(Marks(await _identity(tx), fresh))
    return fresh


async def _open(tx: Transaction, marks: Marks | None, peers: tuple[str, ...], because: str) -> UUID:
    """The next life, after the one that the anchor marks, which this copy of the database may not know of."""
    said_before = marks.sizes if marks is not None and marks.incarnation == await current_incarnation(tx) else await _sizes(tx)
    if marks is not None:
        await remember_incarnation(tx, marks.incarnation)
    return await open_incarnation(tx, peers, because, said_before)
