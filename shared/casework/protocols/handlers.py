"""Hearing of protocols, and our own confirmations that come home after a restore."""

from sqlalchemy import select
from sqlmodel import col

from shared.casework import homecoming
from shared.casework.here import Here
from shared.casework.protocols.tables import Adoption, Protocol
from shared.contracts.casework import events
from shared.exchange.registry import Received, Returned, Unauthorised
from shared.kit.db import Transaction
from shared.kit.ids import new_id


async def on_protocol_published(received: Received, tx: Transaction, _here: Here) -> None:
    """A version of a protocol; what was published of it once stands, whoever says it again otherwise."""
    word: events.ProtocolPublished = received.data
    key = (received.sender, str(word.topic), word.protocol_version)
    known = await tx.session.get(Protocol, key, populate_existing=True)
    if known is not None and (known.digest, known.from_on) != (word.digest, word.from_on):
        raise Unauthorised("This version of the protocol was published already, with another text or from another day.")
    if known is None:
        tx.session.add(
            Protocol(agency=received.sender, topic=word.topic, version=word.protocol_version, from_on=word.from_on,
                     adopt_by=word.adopt_by, digest=word.digest, said_at=received.occurred_at),
        )  # fmt: skip
        await tx.session.flush()


async def _adopted_again(recipient: str, fact: events.Event, word: Returned, tx: Transaction, _here: Here) -> bool:
    assert isinstance(fact, events.ProtocolAdopted)
    query = select(col(Adoption.id)).where(
        col(Adoption.agency) == recipient, col(Adoption.topic) == str(fact.topic), col(Adoption.version) == fact.protocol_version,
        col(Adoption.facility) == fact.facility,
    )  # fmt: skip
    if (await tx.session.execute(query)).first() is None:
        tx.session.add(
            Adoption(id=new_id(), agency=recipient, topic=fact.topic, version=fact.protocol_version, facility=fact.facility,
                     digest=fact.digest, post=fact.post, adopted_on=fact.adopted_on, recorded_at=word.occurred_at),
        )  # fmt: skip
        await tx.session.flush()
    return True


homecoming.comes_home(events.ProtocolAdopted, _adopted_again)
