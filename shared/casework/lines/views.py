"""The lines to the peers in words: last heard, how much is under way, what could not be applied."""

from datetime import datetime, timedelta
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, case, func, literal, select
from sqlmodel import col

from shared.casework.here import Here
from shared.contracts.casework.authority import SERVING
from shared.exchange.inbox import WORDS_LEFT_SHUT
from shared.exchange.incarnations import awaited_peers
from shared.exchange.tables import (
    Fork,
    HeadState,
    InboxRow,
    InboxState,
    OutboxRow,
    Peer,
    ReceivedHead,
    ReceivedSlot,
    SignedHead,
    UnopenableRecord,
)
from shared.kit.bodies import Body
from shared.kit.db import Transaction
from shared.kit.errors import Sentence, from_json

SILENT_AFTER = timedelta(seconds=30)  # six heartbeats: the line or the peer is down
PARKED_MAX = 500  # on one page, and more than anybody settles in a day; the oldest come first, so the rest follows


class PeerView(Body):
    """One line: when it was last heard, and how many of our events are not signed for yet."""

    agency: str
    kind: str
    state: str
    words: str
    last_heard_at: datetime | None
    has_direct_line: bool
    in_step_at: datetime | None  # when the two were last compared and alike
    behind_since: datetime | None  # since when a comparison finds them unlike
    is_recovering: bool  # this agency was restored, and the peer has not yet given back what it holds
    unsent: int
    undelivered: int
    lacking_here: int  # events that it says it told us, and that are not here
    waiting_here: int
    parked_here: int
    refused: "list[RefusedView]"  # heads of its that do not extend what it said before


class RefusedView(Body):
    """A head that a peer signed and that was refused: of which of its logs, in which of its lives, and at which place."""

    log: str
    incarnation: UUID
    place: int
    heard_at: datetime


class ParkedView(Body):
    """An event that could not be applied here. Whoever serves nobody is not told what it is about: that may be a case."""

    sender: str
    event_id: UUID
    type: str
    version: int
    subject: UUID | None
    reason: str | None
    said: Sentence | None = Field(default=None, exclude=True)  # the same, for a page in its own language
    received_at: datetime


class SetAsideView(Body):
    """Records of one sender that could not be opened, for one reason, or that came in a second version; nothing of them is used."""

    sender: str
    why: str  # a code of the group "set_aside"
    count: int
    last_seen_at: datetime


WHY = {  # the seal's reasons that a person can do something about; whatever else it says is damage
    "the key that it is sealed to is not here": "old_key",
    "its signer's key is revoked": "given_up",
    "its signer is not known": "unknown_signer",
    "its signature is not good": "another",
    "it was sealed for another, by another, or is damaged": "another",
    "it is not a word of the one to the other": "another",
}
TRACES_SHOWN = timedelta(days=30)  # somebody has looked by then; what comes again is shown again
DAMAGED, FORKED = "damaged", "forked"


async def peers(tx: Transaction, here: Here) -> list[PeerView]:
    """The state of each line."""
    known = {row.peer: row for row in (await tx.session.execute(select(Peer))).scalars()}
    awaited = await awaited_peers(tx)
    unsent = func.sum(case((col(OutboxRow.sent_at).is_(None), 1), else_=0))
    query = (
        select(col(OutboxRow.recipient), unsent, func.count())
        .where(col(OutboxRow.delivered_at).is_(None), ~col(OutboxRow.is_forked))  # what is forked is evidence, under way nowhere
        .group_by(col(OutboxRow.recipient))
    )
    out = {peer: (int(a or 0), int(b)) for peer, a, b in (await tx.session.execute(query)).tuples()}
    held = await _held(tx, InboxState.WAITING) | await _held(tx, InboxState.PARKED)
    refused, lacking, now = await _refused(tx), await _lacking(tx), tx.clock.now()
    return [
        _peer(here, known.get(peer) or Peer(peer=peer), out.get(peer, (0, 0)), held, now, refused.get(peer, []),
              lacking.get(peer, 0),              is_recovering=peer in awaited)
        for peer in here.peers
    ]  # fmt: skip


async def _lacking(tx: Transaction) -> dict[str, int]:
    """How many events each peer has stated that are not held here, in all its lives."""
    found: dict[str, int] = {}
    for head in (await tx.session.execute(select(ReceivedHead))).scalars():
        stated = max(head.announced, head.highest)
        if stated <= head.upto:
            continue
        above = select(func.count()).where(
            col(ReceivedSlot.sender) == head.sender, col(ReceivedSlot.incarnation) == head.incarnation,
            col(ReceivedSlot.seq) > head.upto,
        )  # fmt: skip
        held = int((await tx.session.execute(above)).scalar_one())
        found[head.sender] = found.get(head.sender, 0) + stated - head.upto - held
    return found


async def _refused(tx: Transaction) -> dict[str, list[RefusedView]]:
    head = SignedHead
    columns = (col(head.sender), col(head.log), col(head.incarnation), col(head.size), col(head.heard_at))
    query = select(*columns).where(col(head.state) == HeadState.REFUSED.value).order_by(col(head.heard_at).desc())
    found: dict[str, list[RefusedView]] = {}
    for sender, log, incarnation, size, heard_at in (await tx.session.execute(query)).tuples():
        found.setdefault(sender, []).append(RefusedView(log=log, incarnation=incarnation, place=size, heard_at=heard_at))
    return found


def _is(state: InboxState) -> ColumnElement[bool]:
    """Each state that is looked for has an index of its own, which a database finds where the state is named in the statement."""
    return col(InboxRow.state) == literal(state.value, literal_execute=True)


async def _held(tx: Transaction, state: InboxState) -> dict[tuple[str, str], int]:
    """How many events of each sender are in a state."""
    query = select(col(InboxRow.sender), func.count()).where(_is(state)).group_by(col(InboxRow.sender))
    return {(sender, state): int(n) for sender, n in (await tx.session.execute(query)).tuples()}


def _peer(
    here: Here, row: Peer, out: tuple[int, int], held: dict[tuple[str, str], int], now: datetime, refused: list[RefusedView],
    lacking: int, *, is_recovering: bool,
) -> PeerView:  # fmt: skip
    peer, heard_at = row.peer, row.last_heard_at
    if heard_at is None:
        state, words = "not_connected", "Nothing has been heard from this agency yet."
    elif now - heard_at > SILENT_AFTER:
        state, words = "silent", f"Nothing heard since {heard_at:%Y-%m-%d %H:%M} UTC; {out[1]} of our events are not signed for."
    elif out[1]:
        state, words = "behind", f"{out[1]} of our events are on their way."
    else:
        state, words = "in_step", "Everything that we said is signed for."
    has_direct_line = peer in here.network.direct_lines_of(here.agency)
    if not has_direct_line:
        words += " There is no direct line to it."
    if refused:
        words += " Its records no longer fit what it said before; `refnet verify` there names the rows."
    if is_recovering:
        words += " This database was restored, and it has not yet given back what it holds of ours."
    return PeerView(
        agency=peer, kind=here.kind_of(peer), state=state, words=words, last_heard_at=heard_at, has_direct_line=has_direct_line,
        in_step_at=row.in_step_at, behind_since=row.behind_since, is_recovering=is_recovering, unsent=out[0], undelivered=out[1],
        lacking_here=lacking, waiting_here=held.get((peer, "waiting"), 0), parked_here=held.get((peer, "parked"), 0),
        refused=refused,
    )  # fmt: skip


async def set_aside(tx: Transaction) -> list[SetAsideView]:
    """What could not be opened, by sender and reason, and what came in two versions; the newest first."""
    record = UnopenableRecord
    opened = select(col(record.sender), col(record.reason), func.count(), func.max(col(record.last_seen_at))).where(
        col(record.last_seen_at) > tx.clock.real() - TRACES_SHOWN
    )
    forked = select(col(Fork.sender), literal(FORKED), func.count(), func.max(col(Fork.received_at))).group_by(col(Fork.sender))
    found: dict[tuple[str, str], SetAsideView] = {}
    for sender, reason, count, at in [
        *(await tx.session.execute(opened.group_by(col(record.sender), col(record.reason)))).tuples(),
        *(await tx.session.execute(forked)).tuples(),
    ]:
        key = (sender, reason if reason == FORKED else WHY.get(reason, DAMAGED))
        former = found.get(key)
        found[key] = SetAsideView(
            sender=sender, why=key[1], count=count + (former.count if former else 0),
            last_seen_at=max(at, former.last_seen_at) if former else at,
        )  # fmt: skip
    return sorted(found.values(), key=lambda one: (one.last_seen_at, one.sender, one.why), reverse=True)


async def parked(tx: Transaction, here: Here) -> list[ParkedView]:
    """What could not be applied, oldest first."""
    query = select(InboxRow).where(_is(InboxState.PARKED)).order_by(col(InboxRow.received_at)).limit(PARKED_MAX)
    query = query.options(WORDS_LEFT_SHUT)
    return [
        ParkedView(sender=r.sender, event_id=r.event_id, type=r.type, version=r.dataversion,
                   subject=r.subject if here.kind in SERVING else None, reason=r.reason,
                   said=from_json(r.reason_said) if r.reason_said else None, received_at=r.received_at)
        for r in (await tx.session.execute(query)).scalars()
    ]  # fmt: skip
