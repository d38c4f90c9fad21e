"""Hearing that a place works by a protocol, and our own publications that come home after a restore."""

from services.oversight.protocols.tables import PlaceAdoption, PublishedProtocol
from shared.casework import homecoming
from shared.casework.here import Here
from shared.contracts.casework import events
from shared.exchange.registry import Received, Returned
from shared.kit.db import Transaction


async def on_protocol_adopted(received: Received, tx: Transaction, _here: Here) -> None:
    """A place has confirmed a version; the first word of it stands. It is kept also where the version is not known here."""
    word: events.ProtocolAdopted = received.data
    key = (received.sender, word.facility, str(word.topic), word.protocol_version)
    if await tx.session.get(PlaceAdoption, key, populate_existing=True) is not None:
        return
    tx.session.add(
        PlaceAdoption(agency=received.sender, facility=word.facility, topic=word.topic, version=word.protocol_version,
                      digest=word.digest, post=word.post, adopted_on=word.adopted_on, said_at=received.occurred_at),
    )  # fmt: skip
    await tx.session.flush()


async def _published_again(_recipient: str, fact: events.Event, word: Returned, tx: Transaction, _here: Here) -> bool:
    assert isinstance(fact, events.ProtocolPublished)
    if await tx.session.get(PublishedProtocol, (str(fact.topic), fact.protocol_version)) is None:
        tx.session.add(
            PublishedProtocol(topic=fact.topic, version=fact.protocol_version, digest=fact.digest, from_on=fact.from_on,
                              adopt_by=fact.adopt_by, published_at=word.occurred_at),
        )  # fmt: skip
        await tx.session.flush()
    return True


homecoming.comes_home(events.ProtocolPublished, _published_again)
