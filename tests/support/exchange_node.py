"""One agency's end of the exchange without a broker: a test carries the envelopes, and loses or doubles them as it likes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from keys import seal_of
from keystores import with_keys
from pydantic import BaseModel
from sqlalchemy import select
from sqlmodel import col

from shared.casework.migrate import is_migrated, migrate
from shared.contracts.wire.envelope import Header, Kind, unframe, unsigned
from shared.contracts.wire.statements import Statement
from shared.exchange import outbox, receipts, streams
from shared.exchange.answers import Ears, take_statement
from shared.exchange.inbox import Inbox, Outcome, heard
from shared.exchange.letters import Letters
from shared.exchange.own_keystore import tie
from shared.exchange.registry import Received, Registry, Returned, Subscription, Unauthorised, Unready, of_itself
from shared.exchange.tables import InboxRow, OutboxRow
from shared.kit.clock import ManualClock
from shared.kit.db import Database, Transaction
from shared.kit.keystore import ValueNotOpened


class Said(BaseModel):
    """The data of a test event: a step of a subject's story, and how its handler should behave."""

    step: int
    fails: str | None = None


class Node:
    """An agency with its database, a handler that writes down what it applied, and hooks that write down what they heard."""

    def __init__(self, agency: str, database: Database) -> None:
        self.agency, self.database = agency, database
        self.seal = seal_of(agency)
        self.applied: list[tuple[UUID, int]] = []
        self.troubles: list[str] = []
        self.delivered_ids: list[UUID] = []
        self.sent_ids: list[UUID] = []
        self.withheld_ids: list[UUID] = []
        self.home_ids: list[UUID] = []
        self.never_told_ids: list[UUID] = []
        self.acts_first: frozenset[str] = frozenset()
        self.broken = False
        registry = Registry(
            [
                Subscription("story.told", 1, Said, of_itself, self._on_told),
                Subscription("story.begun", 1, Said, of_itself, self._on_told, False),
            ]
        )
        self.inbox = Inbox(database, registry, self)

    def letters(self, *peers: str) -> Letters:
        """This node's letters to its peers."""
        return Letters(self.database, self.agency, peers, self.seal, self.inbox, self)

    @classmethod
    async def make(cls, agency: str, url: str, clock: ManualClock) -> "Node":
        """A node on a fresh database."""
        database = with_keys(url, clock)
        if await is_migrated(database):  # as a fixture has made it, once for all: Alembic takes half a second to find nothing to do
            async with database.write() as tx:
                await tie(tx)
        else:
            await migrate(database)
        return cls(agency, database)

    async def _on_told(self, received: Received, tx: Transaction) -> None:
        if received.data.fails == "unauthorised":
            raise Unauthorised("health may not say this.")
        if received.data.fails == "shut":
            raise ValueNotOpened("The keystore lacks a key that the database needs.")
        if received.data.fails == "unready":
            raise Unready("What it is about is not here yet.")
        if received.data.fails == "always" or (received.data.fails == "once" and self.broken):
            raise ZeroDivisionError
        self.note(tx, received.subject, received.data.step)

    def note(self, tx: Transaction, subject: UUID, step: int) -> None:
        """Counts as applied only once it is committed."""
        tx.on_commit(lambda: self.applied.append((subject, step)))

    async def delivered(self, event_ids: list[UUID], at: datetime, tx: Transaction) -> None:
        self.delivered_ids += event_ids

    async def sent(self, event_ids: list[UUID], at: datetime, tx: Transaction) -> None:
        self.sent_ids += event_ids

    async def related(self, subjects: list[UUID], tx: Transaction) -> list[UUID]:
        """Nothing else is locked here."""
        return []

    async def came_home(self, recipient: str, words: list[Returned], tx: Transaction) -> frozenset[UUID]:
        self.home_ids += [word.id for word in words]
        return frozenset()

    async def is_older(self, tx: Transaction) -> None:
        """Nobody is signed in here."""

    async def never_told(self, recipient: str, event_ids: list[UUID], tx: Transaction) -> None:
        self.never_told_ids += event_ids

    async def held(self, tx: Transaction) -> set[UUID]:
        """No court has forbidden anything here."""
        return set()

    async def withheld(self, sender: str, event_id: UUID, subject: UUID, tx: Transaction) -> None:
        self.withheld_ids.append(event_id)

    async def trouble(self, kind: str, peer: str, detail: dict[str, Any], tx: Transaction) -> None:
        tx.on_commit(lambda: self.troubles.append(kind))

    async def say(self, to: str, subject: UUID, step: int, **options: Any) -> UUID:
        """Tells one step of a subject's story, as a handler would."""
        fails = options.pop("fails", None)
        kind = options.pop("type", "story.told")
        async with self.database.write() as tx:
            await outbox.lock_subjects(tx, [subject])
            return await outbox.add(
                tx,
                outbox.Outgoing(
                    recipient=to,
                    type=kind,
                    dataversion=options.pop("dataversion", 1),
                    subject=subject,
                    lane_key=subject,
                    data=Said(step=step, fails=fails).model_dump(exclude_none=True),
                    occurred_at=tx.clock.now(),
                    **options,
                ),
            )

    async def number(self, to: str) -> list[bytes]:
        """Numbers what is unnumbered and returns its envelopes in slot order."""
        rows = await streams.number(self.database, self.agency, to, self.seal)
        return [self.seal.seal(row.inner, to) for row in rows]

    async def due(self, to: str) -> list[bytes]:
        """The envelopes of rows that wait to be sent, or were asked for again."""
        return [self.seal.seal(row.inner, to) for row in await streams.due(self.database, to)]

    async def mark_all_sent(self) -> None:
        """What the relay notes once the broker has taken everything."""
        async with self.database.write() as tx:
            rows = (await tx.session.execute(select(col(OutboxRow.position)).where(col(OutboxRow.is_due)))).scalars()
            await streams.mark_sent(tx, [p for p in rows if p is not None], tx.clock.now())

    async def hear(self, sender: str, envelopes: Sequence[bytes], *, is_express: bool = False) -> Outcome:
        """Opens and applies one batch, which came by the express lane or by the other."""
        return await self.inbox.receive([heard(self.seal.open(e, sender), is_express=is_express) for e in envelopes])

    async def state(self, to: str) -> Statement:
        """This node's statement to a peer."""
        async with self.database.write() as tx:
            return await receipts.make_statement(tx, to)

    async def take(self, peer: str, statement: Statement, peer_incarnation: UUID | None = None) -> None:
        """Takes a peer's statement in."""
        header = Header(kind=Kind.STATEMENT, sender=peer, recipient=self.agency, incarnation=peer_incarnation or UUID(int=1))
        inner = unframe(unsigned(header, statement.to_bytes(), 0))
        async with self.database.write() as tx:
            await take_statement(tx, Ears(self.agency, (peer,), self), inner, statement)

    async def inbox_states(self) -> dict[UUID, str]:
        """State by event id."""
        async with self.database.read() as tx:
            query = select(col(InboxRow.event_id), col(InboxRow.state))  # whether or not their words open
            return dict((await tx.session.execute(query)).tuples().all())

    async def outbox_rows(self) -> list[OutboxRow]:
        """Everything said, by position."""
        async with self.database.read() as tx:
            return list((await tx.session.execute(select(OutboxRow).order_by(col(OutboxRow.position)))).scalars())


def new_subject() -> UUID:
    """A subject that nobody has spoken of."""
    return uuid4()
