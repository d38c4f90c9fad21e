"""Keys to seal to that another has replaced: whether anything that is still to come may lie under one.

Nothing does once the window is over, every peer has said, signed, that it knows the key in its place, and everything that it says
it has said was here some time after that. A copy that comes under the old key later is then of what is held; and whatever should be
missing all the same is asked for, and sealed anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import select
from sqlmodel import col

from shared.contracts.wire.directory import SIGNATURE_BYTES, Line, Use
from shared.exchange.answers import is_settled
from shared.exchange.directory import Directory, key_id
from shared.exchange.incarnations import awaited_peers
from shared.exchange.tables import Peer, ReceivedHead
from shared.kit.db import Transaction

KEPT = timedelta(days=35)  # a key opens for a month after the next was made, and some days more for whoever was offline then
SETTLED = timedelta(hours=1)  # all processes of a peer take up what one of them heard: seconds, and an hour for one that hangs


@dataclass(frozen=True, slots=True)
class Replaced:
    """A key to seal to, the line of the directory that published the next, and when that was."""

    id: bytes
    line: int
    at: datetime

    @property
    def kept_until(self) -> datetime:
        """It is not destroyed before."""
        return self.at + KEPT


def replaced(directory: Directory) -> list[Replaced]:
    """An agency's own keys that nobody seals to who knows its whole directory, oldest first."""
    lines = [Line.model_validate_json(told.signed[SIGNATURE_BYTES:]) for told in directory.lines if told.signed is not None]
    made = [(key_id(one.publishes.public), one) for one in lines if one.publishes is not None and one.publishes.use is Use.SEAL]
    return [Replaced(id_, after.number, after.made_at) for (id_, _), (_, after) in pairwise(made)]


async def waits_for(tx: Transaction, peers: Iterable[str], line: int) -> dict[str, str]:
    """By peer, why something of it may still come under the key that this line of our directory has replaced."""
    awaited = await awaited_peers(tx)
    found = {peer: await _why(tx, peer, line) for peer in peers}
    found |= dict.fromkeys(awaited & found.keys(), "it has not yet given back what this restored database lacks")
    return {peer: why for peer, why in found.items() if why is not None}


async def _why(tx: Transaction, peer: str, line: int) -> str | None:
    known = await tx.session.get(Peer, peer, populate_existing=True)
    if known is None or known.knows_since is None or known.knows_lines < line:
        return "it has not said that it knows the newer key"
    if known.spoke_at is None or known.spoke_at < known.knows_since + SETTLED:
        return "it has not been heard an hour after it said that it knows the newer key"
    query = select(ReceivedHead).where(col(ReceivedHead.sender) == peer, col(ReceivedHead.upto) < col(ReceivedHead.announced))
    for head in (await tx.session.execute(query)).scalars().all():
        if not await is_settled(tx, peer, head.incarnation, head.announced):
            return "not everything that it has said is here"
    return None
