"""Evidence: what other agencies signed and cannot stand by, in one file that a third party checks without any database.

Refused heads, each with the one that it contradicts; a second word for a slot, with the first; words that were parked or given up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from pydantic import ValidationError
from sqlalchemy import and_, select
from sqlmodel import col

from shared.contracts.wire.bundle import WORDS_MAX, EvidenceBody, Item, SealedEvidence
from shared.contracts.wire.envelope import EndedStream, Event, Inner, Kind, Reopened, Unopenable, unframe
from shared.contracts.wire.merkle import consistency_spans, is_extended
from shared.contracts.wire.statements import InsideHead, Statement
from shared.exchange.custody import Checked, read_file, roots_of, seal_of
from shared.exchange.inbox import heard
from shared.exchange.seal import KeyedSeal, KeyGivenUp
from shared.exchange.tables import Fork, HeadState, InboxRow, InboxState, ReceivedSlot, SignedHead
from shared.kit.db import Transaction
from shared.kit.errors import RefnetError

NOTHING = "There is nothing to show: no refused head, no second word for a slot, no words that are parked or were given up."


# --- making the file -----------------------------------------------------------------------------------------------------------


async def make_evidence(tx: Transaction, seal: KeyedSeal) -> bytes:
    """The file's bytes; raises RefnetError where there is nothing to show. What is cleared, or kept as a digest, is not in it."""
    items = [*await _heads(tx), *await _forks(tx), *await _unused(tx)]
    if not items:
        raise RefnetError(NOTHING)
    roots = roots_of(seal, {seal.agency, *(one.speaker for one in items)})
    body = EvidenceBody(agency=seal.agency, made_at=tx.clock.now(), roots=roots, items=tuple(items[:WORDS_MAX]))
    signer, signature = seal.sign_bundle(body.to_bytes())
    return SealedEvidence(body=body, signer=signer, signature=signature).to_bytes()


async def _heads(tx: Transaction) -> list[Item]:
    query = select(SignedHead).where(col(SignedHead.state) == HeadState.REFUSED.value).order_by(col(SignedHead.heard_at))
    return [
        Item.model_validate(
            {"kind": "head", "log": row.log, "speaker": row.sender, "incarnation": row.incarnation, "place": row.size,
             "signed": row.signed, "beside": row.against}
        )
        for row in (await tx.session.execute(query)).scalars() if row.signed
    ]  # fmt: skip


async def _forks(tx: Transaction) -> list[Item]:
    slot, word = ReceivedSlot, InboxRow
    found = []
    for fork in (await tx.session.execute(select(Fork).order_by(col(Fork.received_at)))).scalars():
        second: bytes | None = fork.inner
        if second is None:
            continue  # it went with its consent
        same = and_(col(word.sender) == col(slot.sender), col(word.event_id) == col(slot.event_id))
        query = select(word).join(slot, same).where(
            col(slot.sender) == fork.sender, col(slot.incarnation) == fork.incarnation, col(slot.seq) == fork.seq
        )  # fmt: skip
        first = (await tx.session.execute(query)).scalar_one_or_none()
        beside = first.inner if first is not None else None
        place: dict[str, Any] = {"speaker": fork.sender, "incarnation": fork.incarnation, "place": fork.seq}
        found.append(Item(kind="slot", signed=second, beside=beside, **place))
    return found


async def _unused(tx: Transaction) -> list[Item]:
    states = (InboxState.PARKED.value, InboxState.REFUSED.value)
    query = select(InboxRow).where(col(InboxRow.state).in_(states), col(InboxRow.inner).is_not(None))
    found = []
    for row in (await tx.session.execute(query.order_by(col(InboxRow.received_at)).limit(WORDS_MAX))).scalars():
        if row.inner is not None:
            header = unframe(row.inner).header
            place: dict[str, Any] = {"speaker": row.sender, "incarnation": header.incarnation, "place": header.seq or 0}
            found.append(Item(kind="word", signed=row.inner, why=row.reason or "", **place))
    return found


# --- checking it ---------------------------------------------------------------------------------------------------------------

PROVES = (
    "If the fingerprints are the pinned ones, this proves: the agency that is named signed what stands after its name. Where it"
    " “cannot have meant both”, its own two signatures alone show that its records were changed, or that another used its key."
)
PROVES_NOT = (
    "It does not prove: who at the agency did it, or that it was not a restore from a backup that nobody noticed (ask the agency"
    " first); that a key was not given up in a line that the file does not hold (ask whoever holds the agency's keys); what is said"
    " after “as %s says”; or that there is nothing else."
)


@dataclass(slots=True)
class EvidenceCheck(Checked):
    """What the check of a file of evidence came to."""

    shown: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        """For a terminal."""
        if not self.is_good:
            return "\n".join([*self.faults, "The evidence is not good: do not rely on anything in it."])
        lines = [f"Exported by {self.agency} on {self.made_at:%Y-%m-%d %H:%M} UTC.", *self.taken, "", *self.shown, *self.under]
        return "\n".join([*lines, PROVES, PROVES_NOT % self.agency])


def check_evidence_file(file: Path, identity: Path | None = None) -> EvidenceCheck:
    """Checks a file of evidence, as `check_file` does a bundle; raises RefnetError."""
    mark, data = read_file(file, identity)
    check = check_evidence(data)
    check.handed_out = mark
    return check


def check_evidence(data: bytes) -> EvidenceCheck:
    """Checks its bytes; nothing is asked of anybody and nothing raised."""
    check = EvidenceCheck()
    try:
        sealed = SealedEvidence.model_validate_json(data)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "its beginning"
        check.faults.append(f"This is no evidence, or its form is damaged, at {where}.")
        return check
    body = sealed.body
    check.agency, check.made_at = body.agency, body.made_at
    seal = seal_of(body.agency, body.roots, {body.agency, *(one.speaker for one in body.items)}, check)
    if seal is None:
        return check
    for item in body.items:
        _check_item(seal, body.agency, item, check)
    try:
        seal.verify_bundle(body.agency, sealed.signer, sealed.signature, body.to_bytes())
    except (Unopenable, InvalidSignature):
        check.faults.append(f"What {body.agency} exported, when, why, or its signature under all of it, was changed.")
    if data != sealed.to_bytes():
        check.faults.append("The file is not in the form in which it was written.")
    return check


def _check_item(seal: KeyedSeal, exporter: str, item: Item, check: EvidenceCheck) -> None:
    log = "what it does inside" if item.log == "inside" else f"{item.speaker}.{exporter}"
    name = f"{item.speaker}, {log}, life {item.incarnation}, place {item.place}"
    notes, inners = list[str](), list[Inner]()
    try:
        for raw in (item.signed, *([item.beside] if item.beside is not None else [])):
            try:
                inner = seal.signed(raw, item.speaker, exporter)
            except KeyGivenUp:  # the signature is good: what stands under a key that was stolen is evidence too
                inner = unframe(raw)
            inners.append(inner)
            if not seal.reaches(inner):
                notes.append(EVENT_GIVEN_UP if inner.header.kind is Kind.EVENT else STATEMENT_GIVEN_UP)
        both = NOT_BOTH if not notes else NOT_ITS_WORD
        if item.kind == "head":
            said = _heads_say(item, inners, both)
        else:
            said = _slot_says(item, inners, both) if item.kind == "slot" else _word_says(item, inners)
    except Unopenable as error:
        check.faults.append(f"{name}: it is not what {item.speaker} signed: {error}.")
        return
    # The exporter's own words keep to their line: they add none that would read as one of this check's.
    why = "".join(one for one in " ".join(item.why.split()) if one.isprintable())
    notes += [f"not used, as {exporter} says: {why}"] if why else []
    check.shown.append("; ".join([f"{name}: {said}", *notes]) + ("" if why.endswith(".") else "."))


NOT_BOTH = "it signed two {}, and cannot have meant both"
# Whoever has stolen a key signs what he likes under it; so what stands under one that was given up accuses nobody (decision 20).
NOT_ITS_WORD = "two {} stand under its keys, and it has given up a key of theirs: nothing shows that it signed both"
EVENT_GIVEN_UP = "one signature is under a key that its owner gave up before that place"
STATEMENT_GIVEN_UP = "one signature is under a key that its owner has given up, and no statement under such a key is its word"
NOT_HERE = Unopenable("it says nothing of that place")
ENDED = Unopenable("it was signed when that life was not current, and words of an ended life may come home")
BY_MESSAGES = "whether it fits the messages shows from those, which the exporter holds"


def _heads_say(item: Item, inners: Sequence[Inner], both: str) -> str:
    later, *former = inners
    if item.log == "inside":
        return _log_says(item, inners, both)
    before = _stream_roots(item, former[0]) if former else set()
    if later.header.kind is Kind.EVENT:  # the first word of a life, about the one before
        return _reopening_says(item, later, before)
    now = _stream_roots(item, later)
    if not now:
        raise NOT_HERE
    if len(now | before) > 1:
        return both.format(f"heads at {item.place} messages of this life with different roots")
    return f"its head at {item.place} messages of this life; no other root of its for that place is beside it, and {BY_MESSAGES}"


def _stream_roots(item: Item, inner: Inner) -> set[bytes]:
    """The roots that a statement gives for that place of the life that it was signed in; raises Unopenable for any other life.

    Of an ended life a stream is a set: what comes home gives it another root at the same place, signed as honestly.
    """
    statement = Statement.of(inner)
    if inner.header.incarnation != item.incarnation:
        raise ENDED
    return {one.root for one in statement.heads if (one.incarnation, one.size) == (item.incarnation, item.place)}


def _reopening_says(item: Item, word: Inner, before: set[bytes]) -> str:
    roots = {one.root for one in _ended(heard(word).event) if (one.incarnation, one.size) == (item.incarnation, item.place)}
    if not roots or word.header.incarnation == item.incarnation:
        raise NOT_HERE
    said = f"its word that its former life came to {item.place} messages"
    if before and not roots & before:  # the copy that it was restored from may have held a part of that life: it accuses nobody
        return f"{said}, with another root than its own head had there; that alone may come of a restore, and {BY_MESSAGES}"
    return f"{said}; no other root of its for that place is beside it, and {BY_MESSAGES}"


def _ended(event: Event) -> Sequence[EndedStream]:
    if (event.type, event.dataversion) != (Reopened.TYPE, Reopened.VERSION):
        raise Unopenable("it is not its word of what its former life came to")
    try:
        return Reopened.model_validate(event.data).ended
    except ValidationError as error:
        raise Unopenable("its content is not what such a word says") from error


def _log_says(item: Item, inners: Sequence[Inner], both: str) -> str:
    later, *former = inners
    heads = [one for one in Statement.of(later).inside if (one.incarnation, one.size) == (item.incarnation, item.place)]
    others = [one for one in Statement.of(former[0]).inside if one.incarnation == item.incarnation] if former else []
    if not heads or not others:
        raise NOT_HERE
    for one, other in combinations([*heads, *others], 2):
        if one.size == other.size and one.root != other.root:
            return both.format(f"heads of its log, at {one.size} entries with different roots")
        small, large = (one, other) if one.size < other.size else (other, one)
        if _speaks_of(large, small) and not is_extended(small.size, small.root, large.size, large.root, large.proof):
            said = f"heads of its log: by its own proof the one at {large.size} entries does not begin as the one at {small.size}"
            return both.format(said)
    sizes = [(one.size, other.size) for one in heads for other in others if one.since == other.size and not _speaks_of(one, other)]
    if any(size > former > 0 for size, former in sizes):
        return f"its head at {item.place} entries of its log, with no proof of whether it begins as the one that is beside it"
    # Which came first no signature says: `since` is what the reader claimed to have signed, and a reader may claim what it likes.
    # Of a life that has ended a restored copy has fewer by right.
    if later.header.incarnation == item.incarnation and any(size < former for size, former in sizes):
        return f"its head at {item.place} entries of its log, and a larger one; that the larger came first is the exporter's word"
    raise Unopenable("its two heads do not contradict each other")


def _speaks_of(large: InsideHead, small: InsideHead) -> bool:
    """Whether the proof of a head is one about these two sizes. One from another size, or none because an entry is gone, says
    nothing of them; and equal sizes need none."""
    return 0 < small.size == large.since < large.size and len(large.proof) == len(consistency_spans(small.size, large.size))


def _slot_says(item: Item, inners: Sequence[Inner], both: str) -> str:
    second, *first = inners
    here = (item.incarnation, item.place)
    if second.header.kind is Kind.EVENT:
        leaves = [second.leaf] if (second.header.incarnation, second.header.seq) == here else []
    else:
        leaves = [one.leaf for one in Statement.of(second).cleared if (one.incarnation, one.seq) == here]
    if not leaves:
        raise NOT_HERE
    if not first or first[0].header.kind is not Kind.EVENT or (first[0].header.incarnation, first[0].header.seq) != here:
        return "its second word for this place, as the exporter says; the words of the first are kept no more"
    if set(leaves) == {first[0].leaf}:
        raise Unopenable("its two words are the same")
    return both.format("words for one place")


def _word_says(item: Item, inners: Sequence[Inner]) -> str:
    header = inners[0].header
    if (header.incarnation, header.seq or 0) != (item.incarnation, item.place):
        raise NOT_HERE
    event = heard(inners[0]).event
    return f"it said {event.type} there, of {event.time:%Y-%m-%d %H:%M} UTC"
