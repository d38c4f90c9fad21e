"""What a person does about the lines to the peers: trying an event that could not be applied again, or giving it up."""

from uuid import UUID

from shared.casework.here import Actor, Here
from shared.contracts.casework import events
from shared.exchange import outbox
from shared.exchange.inbox import WORDS_LEFT_SHUT, Inbox, refuse_parked
from shared.exchange.tables import InboxRow, InboxState
from shared.kit.db import Database, Transaction, machinery
from shared.kit.errors import NotFound


async def discard_parked(sender: str, event_id: UUID, tx: Transaction, here: Here, by: Actor) -> None:
    """Gives a parked event up for good and tells its sender, so that what waits for it may follow. Raises NotFound."""
    by.may_supervise()
    subject = await refuse_parked(tx, sender, event_id)
    if subject is None:
        raise NotFound("There is no such parked event.")
    word = events.ExchangeRefused(event_id=event_id)
    await outbox.add(
        tx,
        outbox.Outgoing(recipient=sender, type=word.type, dataversion=word.version, subject=subject, lane_key=subject,
                        data=events.data_of(word), occurred_at=tx.clock.now()),
    )  # fmt: skip


async def retry_parked(sender: str, event_id: UUID, database: Database, inbox: Inbox) -> bool:
    """Tries a parked event again; True where it went. Raises NotFound."""
    async with database.read() as tx:
        row = await tx.session.get(InboxRow, (sender, event_id), options=[WORDS_LEFT_SHUT])
    if row is None or row.state != InboxState.PARKED:
        raise NotFound("There is no such parked event.")
    with machinery():
        return await inbox.retry(sender, event_id)


async def go_on(inbox: Inbox) -> None:
    """What waited for a word that was given up may go."""
    with machinery():
        await inbox.sweep()
