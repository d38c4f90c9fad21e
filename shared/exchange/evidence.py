"""Evidence: what other agencies signed and cannot stand by, in one file that a third party checks without any database.

Refused heads, each with the one that it contradicts; a second word for a slot, with the first; words that were parked or given up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from pydantic import ValidationError
from sqlalchemy import and_, select
from sqlmodel import col

from shared.contracts.wire.bundle import WORDS_MAX, EvidenceBody, Item, SealedEvidence
from shared.contracts.wire.envelope import Inner, Kind, Unopenable, unframe
from shared.contracts.wire.merkle import is_extended
from shared.contracts.wire.statements import Statement
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
    " first); what is said after “as %s says”; or that there is nothing else."
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
                inners.append(seal.signed(raw, item.speaker, exporter))
            except KeyGivenUp:  # the signature is good: what stands under a key that was stolen is evidence too
                inners.append(unframe(raw))
                notes.append("one signature is under a key that its owner gave up before that place")
        said = {"head": _heads_say, "slot": _slot_says, "word": _word_says}[item.kind](item, inners)
    except Unopenable as error:
        check.faults.append(f"{name}: it is not what {item.speaker} signed: {error}.")
        return
    notes += [f"not used, as {exporter} says: {item.why}"] if item.why else []
    check.shown.append("; ".join([f"{name}: {said}", *notes]) + ("" if item.why.endswith(".") else "."))


NOT_BOTH = "it signed two {}, and cannot have meant both"
NOT_HERE = Unopenable("it says nothing of that place")


def _heads_say(item: Item, inners: Sequence[Inner]) -> str:
    later, *former = inners
    if later.header.kind is Kind.EVENT:  # the first word of a life, about the one before
        return "its word of what its former life came to, which the messages that the exporter holds do not bear out"
    before = Statement.of(former[0]) if former else None
    if item.log == "stream":
        heads = [one for one in Statement.of(later).heads if (one.incarnation, one.size) == (item.incarnation, item.place)]
        if not heads:
            raise NOT_HERE
        same = [one for one in (before.heads if before else ()) if (one.incarnation, one.size) == (item.incarnation, item.place)]
        if any(one.root != heads[0].root for one in same):
            return NOT_BOTH.format("heads")
        return "its head; that it does not fit its messages shows from those, which the exporter holds"
    inside = [one for one in Statement.of(later).inside if (one.incarnation, one.size) == (item.incarnation, item.place)]
    if not inside:
        raise NOT_HERE
    head = inside[0]
    good = next((one for one in (before.inside if before else ()) if one.incarnation == item.incarnation), None)
    if good is None:
        raise NOT_HERE
    # Its later head says itself that it begins as the one of `since` leaves, and neither its proof nor its size bears that out.
    is_about_it = head.since == good.size or head.size == good.size
    if is_about_it and not (head.size >= good.size and is_extended(good.size, good.root, head.size, head.root, head.proof)):
        return NOT_BOTH.format("heads of its log")
    raise Unopenable("its two heads do not contradict each other")


def _slot_says(item: Item, inners: Sequence[Inner]) -> str:
    second, *first = inners
    here = (item.incarnation, item.place)
    if second.header.kind is Kind.EVENT:
        leaves = [second.leaf] if (second.header.incarnation, second.header.seq) == here else []
    else:
        leaves = [one.leaf for one in Statement.of(second).cleared if (one.incarnation, one.seq) == here]
    if not leaves:
        raise NOT_HERE
    if not first or (first[0].header.incarnation, first[0].header.seq) != here:
        return "its second word for this place, as the exporter says; the words of the first are kept no more"
    if first[0].leaf in leaves:
        raise Unopenable("its two words are the same")
    return NOT_BOTH.format("words for one place")


def _word_says(item: Item, inners: Sequence[Inner]) -> str:
    header = inners[0].header
    if (header.incarnation, header.seq or 0) != (item.incarnation, item.place):
        raise NOT_HERE
    event = heard(inners[0]).event
    return f"it said {event.type} there, of {event.time:%Y-%m-%d %H:%M} UTC"
