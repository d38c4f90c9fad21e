"""Protocols and their adoption as they are shown. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlmodel import col

from services.oversight.protocols.domain import Confirmed, Line, Place, Standing, adoption
from services.oversight.protocols.tables import PlaceAdoption, PublishedProtocol
from shared.casework.here import Here
from shared.casework.protocols.domain import newest
from shared.kit.db import Transaction


@dataclass(frozen=True, slots=True)
class Adopted:
    """A version and how every place stands to it."""

    protocol: PublishedProtocol
    lines: Sequence[Line]

    def count(self, standing: Standing) -> int:
        """How many places stand so: of places, so exact."""
        return sum(line.standing == standing for line in self.lines)


def places_of(here: Here) -> list[Place]:
    """Every place of every agency that is told, in the order of the network file; where nobody works yet, nobody confirms."""
    return [
        (agency, id_)
        for agency in here.serving
        for id_, place in here.network.agencies[agency].facilities.items()
        if not place.is_planned
    ]


async def published(tx: Transaction) -> list[PublishedProtocol]:
    """Every version, the newest of a topic first."""
    query = select(PublishedProtocol).order_by(col(PublishedProtocol.topic), col(PublishedProtocol.version).desc())
    return list((await tx.session.execute(query)).scalars())


async def adopted(tx: Transaction, here: Here, today: date) -> list[Adopted]:
    """The newest version of each protocol."""
    return [await adopted_of(tx, here, one, today) for one in newest(await published(tx))]


async def adopted_of(tx: Transaction, here: Here, protocol: PublishedProtocol, today: date) -> Adopted:
    """One version."""
    query = select(PlaceAdoption).where(col(PlaceAdoption.topic) == protocol.topic, col(PlaceAdoption.version) == protocol.version)
    said = {
        (row.agency, row.facility): Confirmed(row.post, row.adopted_on, row.digest)
        for row in (await tx.session.execute(query)).scalars()
    }
    return Adopted(protocol, adoption(places_of(here), said, protocol.digest, protocol.adopt_by, today))
