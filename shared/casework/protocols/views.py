"""Protocols as a desk sees them. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlmodel import col

from shared.casework.here import Actor, Here
from shared.casework.protocols.domain import newest
from shared.casework.protocols.tables import Adoption, Protocol
from shared.kit.db import Transaction
from shared.kit.errors import Coded, Said, Sentence
from shared.kit.i18n import mark as _


@dataclass(frozen=True, slots=True)
class Shown:
    """A version that stands, the confirmations of the places that an account looks after, and those that lack one."""

    protocol: Protocol
    adoptions: Sequence[Adoption]
    lacking: Sequence[str]

    def is_overdue(self, today: date) -> bool:
        """Whether a place has let the last day pass."""
        return bool(self.lacking) and today > self.protocol.adopt_by


async def standing(tx: Transaction) -> list[Protocol]:
    """The newest version of every protocol of every oversight body."""
    rows = list((await tx.session.execute(select(Protocol))).scalars())
    return [one for agency in sorted({row.agency for row in rows}) for one in newest(r for r in rows if r.agency == agency)]


async def protocols_of(tx: Transaction, here: Here, by: Actor) -> list[Shown]:
    """What stands, at the places of an account that work by now."""
    places = [id_ for id_, one in here.entry.facilities.items() if by.sees(id_) and not one.is_planned]
    query = select(Adoption).where(col(Adoption.facility).in_(places)).order_by(col(Adoption.facility))
    adoptions = list((await tx.session.execute(query)).scalars())
    found = []
    for protocol in await standing(tx):
        key = (protocol.agency, protocol.topic, protocol.version)
        there = [one for one in adoptions if (one.agency, one.topic, one.version) == key]
        done = {one.facility for one in there}
        found.append(Shown(protocol, there, [place for place in places if place not in done]))
    return found


async def work_lines(tx: Transaction, here: Here, by: Actor) -> list[tuple[str, Said]]:
    """Versions that a place of the account has not confirmed yet, for its work list."""
    if not here.overseers:
        return []
    words = _("Read the protocol “%(topic)s”, and confirm that this place works by it.")
    lacking = [one.protocol for one in await protocols_of(tx, here, by) if one.lacking]
    return [(f"/protocols/{one.agency}/{one.topic}", Sentence(words, {"topic": Coded(one.topic, "protocol")})) for one in lacking]
