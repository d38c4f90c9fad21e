"""What was told under a consent that was taken back is erased, at both ends of its line: words go, id, slot and leaf stay.

What is received under a consent lies under a key of its own, which is destroyed: no backup of the database and no copy that comes
late is read after that. A sender keeps its own records, and not what it would send again.
"""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import func, or_, update
from sqlmodel import col

from shared.exchange.tables import InboxRow, InboxState, OutboxRow
from shared.kit.db import Transaction
from shared.kit.keystore import INDEX, OWN

RECEIVED = UUID("0c5f6c0e-52a4-4f0e-9a43-8f9d7f3b6a21")  # the namespace of the names below

DERIVED = 5  # the version of names that are made out of other names (RFC 9562); ids are drawn


def received_key(sender: str, consent_id: UUID) -> UUID:
    """The name of the key under which lies what `sender` told under a consent: a peer can have destroyed what it told, and no
    more, whatever consent it names."""
    return uuid5(RECEIVED, f"{sender}:{consent_id}")


def is_of_a_key(id_: UUID) -> bool:
    """Whether this may be the name of a key and is no id of anything: whatever a peer called so would go with that key."""
    return id_ in {OWN, INDEX} or id_.version == DERIVED


def erased_among(tx: Transaction, told: Iterable[tuple[str, UUID]]) -> set[tuple[str, UUID]]:
    """Those of (sender, consent) whose key is destroyed here: as good as a tombstone, and no restore of the database lifts it.

    Raises KeystoreAway.
    """
    names = {received_key(sender, consent_id): (sender, consent_id) for sender, consent_id in told}
    return {names[name] for name in tx.keys.gone(names.keys())}


async def erase_heard(tx: Transaction, sender: str, consent_id: UUID, kept: Collection[str]) -> None:
    """The signed words that `sender` told under a consent go; each keeps id, slot and leaf. Those of the types `kept` stay: what
    takes a consent back names nobody. What waits or is parked is done as soon as its turn comes, and is never opened."""
    under = (
        col(InboxRow.sender) == sender, col(InboxRow.consent_id) == consent_id, col(InboxRow.inner).is_not(None),
        col(InboxRow.type).not_in(kept),
    )  # fmt: skip
    held = update(InboxRow).where(*under).execution_options(synchronize_session=False)
    await tx.session.execute(
        held.where(col(InboxRow.state).in_([InboxState.APPLIED, InboxState.REFUSED])).values(inner=None, state=InboxState.ERASED)
    )
    await tx.session.execute(
        held.where(col(InboxRow.state).in_([InboxState.WAITING, InboxState.PARKED])).values(
            inner=None, state=InboxState.WAITING, reason=None, reason_said=None
        )
    )


async def erase_said(
    tx: Transaction, consent_id: UUID, kept: Collection[str], applied: Collection[UUID] = (), *, keeps_words: bool = False
) -> None:
    """What was said under a consent of ours is not said again: its numbered rows lose their words, those of the types `kept` apart.

    Whoever asks for them is told that they are erased. Words that came home and are not yet in our records wait until they are:
    `applied` are the ids of those that have just been put there. `keeps_words`: a court has forbidden to destroy them here.
    """
    query = update(OutboxRow).where(
        col(OutboxRow.consent_id) == consent_id, col(OutboxRow.seq).is_not(None), col(OutboxRow.inner).is_not(None),
        ~col(OutboxRow.is_withheld), col(OutboxRow.type).not_in(kept),
        or_(col(OutboxRow.is_home), col(OutboxRow.event_id).in_(applied)),
    )  # fmt: skip
    erased: dict[str, Any] = {"is_due": False, "erased_at": func.coalesce(col(OutboxRow.erased_at), tx.clock.now())}
    words = {} if keeps_words else {"inner": None, "data": None}
    await tx.session.execute(query.values(**erased, **words).execution_options(synchronize_session=False))
