"""The exchange with one rule of design.md left out, for as long as a schedule runs: each must be found.

A mutant changes the project's own functions in this process only. The first lines of each say what the rule prevents.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from unittest import mock
from uuid import UUID

from actors import give_way
from sqlalchemy import delete, select
from sqlmodel import col
from world import Process

from shared.casework import homecoming
from shared.casework.referrals import domain, story
from shared.contracts.casework.codes import Flag
from shared.contracts.wire.envelope import Reopened
from shared.contracts.wire.merkle import Frontier
from shared.exchange import answers, inbox, outbox, said, streams
from shared.exchange.anchor import Anchor
from shared.exchange.tables import InboxRow, InboxState, OutboxRow
from shared.kit.clock import Clock
from shared.kit.db import Database, Transaction


@contextmanager
def order_by_id() -> Iterator[None]:
    """`position` is a database identity taken under the subject's lock; an id is drawn before it, and ids overtake each other."""

    async def lying(tx: Transaction, recipient: str, shut: Any, tried: int = 0) -> Sequence[Any]:
        query = (
            select(*streams.SAID)
            .where(col(OutboxRow.recipient) == recipient, col(OutboxRow.seq).is_(None), col(OutboxRow.position).not_in(shut))
            .order_by((col(OutboxRow.type) == Reopened.TYPE).desc(), col(OutboxRow.is_acute).desc(), col(OutboxRow.event_id))
            .limit(streams.NUMBER_BATCH)
            .offset(tried)
        )
        return [streams._Said(*row) for row in (await tx.session.execute(query)).all()]

    def told_before(subject: UUID, recipient: str) -> Any:
        before = outbox.BEFORE.c
        query = select(before.event_id).where(before.subject == subject, before.recipient == recipient)
        by_lives = before.incarnation.desc().nulls_first()  # as it is: another rule
        return query.order_by(by_lives, before.event_id.desc()).limit(1).scalar_subquery()

    with (
        mock.patch.object(streams, "_lying", lying),
        mock.patch.object(outbox, "_told_before", told_before),
    ):
        yield


@contextmanager
def no_fence() -> Iterator[None]:
    """The stream's head is locked and moved in the transaction that numbers; else two relays give the same numbers."""
    locked, number = streams._lock_head, streams.number
    read_before: ContextVar[Frontier] = ContextVar("read_before")  # by this relay, and by no other

    async def number_from_memory(database: Database, agency: str, recipient: str, seal: Any, shut: Any) -> Any:
        async with database.write() as tx:
            _, frontier = await locked(tx, recipient)
        before = read_before.set(frontier)
        try:
            return await number(database, agency, recipient, seal, shut)  # gives way: another relay may number in between
        finally:
            read_before.reset(before)

    async def remembered(tx: Transaction, recipient: str) -> tuple[UUID, Frontier]:
        incarnation, frontier = await locked(tx, recipient)
        return incarnation, read_before.get(frontier)

    with (
        mock.patch.object(streams, "_lock_head", remembered),
        mock.patch("shared.exchange.relay.streams.number", number_from_memory),
        _without_index("uq_exchange_outbox_slot"),
    ):
        yield


@contextmanager
def _without_index(name: str) -> Iterator[None]:
    import inline_sqlite

    begin = inline_sqlite.InlineDatabase.begin

    def begin_without(self: Any, image: bytes, clock: Clock) -> None:
        begin(self, image, clock)
        self._raw.execute(f"DROP INDEX {name}")  # there, or this leaves nothing out; images of it are without it

    with mock.patch.object(inline_sqlite.InlineDatabase, "begin", begin_without):
        yield


@contextmanager
def deleted_not_blanked() -> Iterator[None]:
    """What is withheld travels blank; deleted, its recipient never learns of it, and its dependants wait until they ask for it."""

    async def remove(tx: Transaction, conditions: Sequence[Any]) -> frozenset[UUID]:
        query = delete(OutboxRow).where(col(OutboxRow.seq).is_(None), *conditions).returning(col(OutboxRow.event_id))
        return frozenset((await tx.session.execute(query)).scalars())

    with mock.patch.object(outbox, "_blank", remove):
        yield


@contextmanager
def sweep_is_watched() -> Iterator[None]:
    """Leaves nothing out: where the net under the next rule, which looks at waiters now and then, catches any, that is told."""
    sweep = Process.sweep

    async def watched(self: Process) -> None:
        if caught := await self.inbox.sweep():
            self.agency.world.ledger.fault(f"{self.agency.name}: {caught} were ready and nobody had woken them")
        await sweep(self)

    with mock.patch.object(Process, "sweep", watched):
        yield


@contextmanager
def lost_wake_ups() -> Iterator[None]:
    """Each apply locks the subject's row before it looks; else one consumer stores a waiter while another settles what it waits
    for, and nothing wakes it but the sweep."""
    opened = inbox._Batch.open
    together = inbox.Inbox._receive_together
    looked: ContextVar[tuple[dict[Any, str], set[Any]] | None] = ContextVar("looked", default=None)  # by this consumer

    async def look_first(self: inbox.Inbox, events: Any, *, isolate: bool) -> Any:
        async with self._database.read() as tx:
            seen = dict((await inbox._known(tx, events)).states)
            query = select(col(InboxRow.sender), col(InboxRow.event_id)).where(col(InboxRow.state) == InboxState.WAITING)
            waiting = set((await tx.session.execute(query)).tuples())
        await give_way()
        before = looked.set((seen, waiting))
        try:
            return await together(self, events, isolate=isolate)
        finally:
            looked.reset(before)

    async def remembered(cls: Any, tx: Any, *args: Any, **options: Any) -> Any:
        batch = await opened(tx, *args, **options)
        found = looked.get()
        if found is not None:
            seen, waiting = found
            batch._states = {key: state for key, state in batch._states.items() if key in seen}
            for ones in batch._waiters.values():
                ones[:] = [one for one in ones if (one.sender, one.event.id) in waiting]
        return batch

    with (
        mock.patch.object(inbox.Inbox, "_receive_together", look_first),
        mock.patch.object(inbox._Batch, "open", classmethod(remembered)),
        sweep_is_watched(),
    ):
        yield


@contextmanager
def held_is_enough() -> Iterator[None]:
    """An event waits until its predecessor is done; held, it may itself be waiting, and the order is gone."""

    def may_go(self: inbox._Batch, one: inbox.Heard) -> bool:
        before = one.event.after
        return before is None or not self._registry.waits(one.event) or (one.sender, before) in self._states

    with mock.patch.object(inbox._Batch, "_may_go", may_go):
        yield


@contextmanager
def only_up_to_n() -> Iterator[None]:
    """What lies above a hole is delivered too where its own root says so; else a hole that never closes leaves it undelivered."""

    async def no_range(_tx: Transaction, _peer: str, _incarnation: UUID, parts: Sequence[Any]) -> list[None]:
        return [None for _ in parts]

    with mock.patch.object(said, "range_roots", no_range):
        yield


@contextmanager
def no_anchor() -> Iterator[None]:
    """A database that is behind its anchor opens a new life before it numbers anything; else it gives numbers a second time."""

    async def unchecked(_database: Database, _anchor: Anchor, _peers: tuple[str, ...]) -> None:
        return None

    with mock.patch("world.check_anchor", unchecked):
        yield


@contextmanager
def sizes_not_sets() -> Iterator[None]:
    """Ended lives are compared as sets; by size alone a restored sender never learns which of its words its peers still hold."""

    async def by_size(tx: Transaction, peer: str, receipt: Any, agreed: int) -> said.Comparison:
        size = await said._size(tx, peer, receipt.incarnation)
        return said.Comparison(is_equal=receipt.upto == size)

    with mock.patch.object(said, "compare_ended", by_size):
        yield


@contextmanager
def nothing_is_lost() -> Iterator[None]:
    """What both ends lost is stated, of ended lives only; else a hole that nobody can fill keeps a pair out of step for ever."""

    async def never(_tx: Transaction, _hooks: Any, _peer: str, _word: Any) -> None:
        return None

    with mock.patch.object(answers, "_take_lost", never):
        yield


@contextmanager
def applied_before_recorded() -> Iterator[None]:
    """Slot, effect and state are one transaction; a known event id is never applied again."""

    async def forgets(self: inbox._Batch, one: Any) -> bool:
        self._states.pop((one.sender, one.event.id), None)
        return bool(await settled(self, one))

    settled = inbox._Batch._settle
    with mock.patch.object(inbox._Batch, "_settle", forgets):
        yield


RULES: dict[str, Callable[[], Any]] = {
    "order by id": order_by_id,
    "no fence": no_fence,
    "deleted, not blanked": deleted_not_blanked,
    "lost wake-ups": lost_wake_ups,
    "held is enough": held_is_enough,
    "only up to N": only_up_to_n,
    "no anchor": no_anchor,
    "sizes, not sets": sizes_not_sets,
    "nothing is lost": nothing_is_lost,
    "applied again": applied_before_recorded,
}
# What is watched beside a rule, with it and without: its absence shows nowhere else, because there is a net beneath it.
BESIDE: dict[str, Callable[[], Any]] = {"lost wake-ups": sweep_is_watched}


@contextmanager
def taken_back_only_here() -> Iterator[None]:
    """Consent that is taken back ends what rests on it at both ends; else a referral stays open at one of them."""

    async def nothing(*_: Any, **__: Any) -> None:
        return None

    with mock.patch.object(story, "take_back", nothing):
        yield


@contextmanager
def late_without_a_flag() -> Iterator[None]:
    """What has no receipt in time is flagged, and its post alarmed."""
    flags_of = domain.flags_of

    def others(clocks: domain.Clocks, limits: Any, now: Any) -> frozenset[Flag]:
        return flags_of(clocks, limits, now) - {Flag.UNDELIVERED}

    with mock.patch.object(domain, "flags_of", others):
        yield


@contextmanager
def waits_for_what_is_lost() -> Iterator[None]:
    """A word that comes home waits only for a referral that may still come; else the recovery never ends."""

    async def none(*_: Any) -> set[UUID]:
        return set()

    with mock.patch.object(homecoming, "_never_opened", none):
        yield


CASEWORK_RULES: dict[str, Callable[[], Any]] = {
    "taken back only here": taken_back_only_here,
    "late without a flag": late_without_a_flag,
    "waits for what is lost": waits_for_what_is_lost,
}
