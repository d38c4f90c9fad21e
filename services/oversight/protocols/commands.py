"""Publishing a version of a protocol: kept here with its text, and told to every agency that serves."""

from pydantic import Field
from sqlalchemy import func, select
from sqlmodel import col

from services.oversight.protocols.tables import PublishedProtocol
from shared.casework.cases.commands import Form
from shared.casework.here import Actor, Forbidden, Here
from shared.casework.own_words import subject_of
from shared.casework.protocols.domain import TEXT_CHARACTERS_MAX, adopt_by, digest_of, plain
from shared.contracts.casework import codes, events
from shared.contracts.casework.codes import Role
from shared.exchange import outbox
from shared.exchange.tables import OutboxRow
from shared.kit.db import Transaction
from shared.kit.errors import Conflict


class Publish(Form):
    """A text, what it is about, and from which day it holds."""

    topic: codes.ProtocolTopic
    text: str = Field(min_length=1, max_length=TEXT_CHARACTERS_MAX)
    from_on: events.Day


async def publish(command: Publish, tx: Transaction, here: Here, by: Actor) -> PublishedProtocol:
    """The next version; raises Forbidden, and Conflict where the text is that of the version before."""
    if by.role is not Role.SUPERVISOR:
        raise Forbidden("Only a supervisor publishes a protocol.")
    await tx.in_turn(f"protocol:{command.topic}")
    before = await newest_of(tx, command.topic)
    digest = digest_of(command.text)
    if before is not None and before.digest == digest:
        raise Conflict("This is the text of the version that stands; a new version says something else.")
    today = here.day_of(tx.clock.now())
    if command.from_on < today:
        raise Conflict("A protocol holds from today or a later day: nobody can have worked by it before.")
    row = PublishedProtocol(
        topic=command.topic, version=before.version + 1 if before is not None else 1, text=plain(command.text), digest=digest,
        from_on=command.from_on, adopt_by=adopt_by(today, command.from_on), published_at=tx.clock.now(),
        published_by=by.account_id,
    )  # fmt: skip
    tx.session.add(row)
    await tx.session.flush()
    await tell(tx, here, row)
    return row


async def newest_of(tx: Transaction, topic: str) -> PublishedProtocol | None:
    """The version that stands."""
    newest = select(func.max(col(PublishedProtocol.version))).where(col(PublishedProtocol.topic) == topic).scalar_subquery()
    query = select(PublishedProtocol).where(col(PublishedProtocol.topic) == topic, col(PublishedProtocol.version) == newest)
    return (await tx.session.execute(query)).scalar_one_or_none()


def word_of(row: PublishedProtocol) -> events.ProtocolPublished:
    """What is told of a version."""
    return events.ProtocolPublished(
        topic=codes.ProtocolTopic(row.topic), protocol_version=row.version, from_on=row.from_on, adopt_by=row.adopt_by,
        digest=row.digest,
    )  # fmt: skip


async def tell(tx: Transaction, here: Here, row: PublishedProtocol) -> None:
    """Tells every agency that has not been told, among them one that joined later."""
    word = word_of(row)
    subject = subject_of(here.agency, word)
    await outbox.lock_subjects(tx, [subject])
    query = select(col(OutboxRow.recipient)).where(col(OutboxRow.subject) == subject)
    told = set((await tx.session.execute(query)).scalars())
    for recipient in (one for one in here.serving if one not in told):
        await outbox.add(
            tx,
            outbox.Outgoing(recipient=recipient, type=word.type, dataversion=word.version, subject=subject, lane_key=subject,
                            data=events.data_of(word), occurred_at=row.published_at),
        )  # fmt: skip
