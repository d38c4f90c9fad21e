"""A case's custody bundle, made from a database and checked without one.

What it holds is what this agency said and what it was told, each under its sender's signature and the other end's. Whoever checks
it trusts nothing but the fingerprints of the roots, which he compares with those that were pinned in person.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from pydantic import ValidationError
from sqlalchemy import and_, select
from sqlmodel import SQLModel, col

from shared.contracts.wire.bundle import WORDS_MAX, Body, Roots, Sealed, StreamHead, Word
from shared.contracts.wire.directory import SIGNATURE_BYTES, Line, Told
from shared.contracts.wire.envelope import Event, Inner, Kind, Unopenable, unframe
from shared.contracts.wire.merkle import Frontier, Span, completed, inclusion_spans, is_included, joined, perfect_parts
from shared.contracts.wire.statements import Statement
from shared.exchange.direct import StreamName
from shared.exchange.directory import BadDirectory, Directory, digest_of, fingerprint
from shared.exchange.heads import leaves as leaves_heard
from shared.exchange.inbox import heard
from shared.exchange.keyring import Keyring
from shared.exchange.said import leaves as leaves_said
from shared.exchange.seal import KeyedSeal
from shared.exchange.tables import HeldReceipt, InboxRow, InboxState, OutboxRow, ReceivedSlot
from shared.exchange.witness import good_stream_head
from shared.kit.bulk import among
from shared.kit.db import Transaction
from shared.kit.errors import RefnetError
from shared.kit.sealed import as_it_lies, sealed_columns

FILE_BYTES_MAX = 256 * 1024**2  # a hundred times what a large case has; what is larger is not read


# --- making one ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Slot:
    stream: StreamName
    seq: int
    signed: bytes | None
    leaf: bytes
    became: str | None = None


async def make_bundle(tx: Transaction, seal: KeyedSeal, case_id: UUID, subjects: Collection[UUID]) -> Sealed:
    """Everything that was said and heard about these subjects, with what proves it; raises RefnetError.

    What only the place is left of, because its words were cleared, erased, or signed with a key that was given up before that
    place, is in it as its leaf under a head; where there is no such head it is left out, because nobody's signature stands for it.
    """
    agency = seal.agency
    found = [*await _said(tx, seal, subjects), *await _heard(tx, seal, subjects)]
    if len(found) > WORDS_MAX:
        raise RefnetError(f"The case has more than {WORDS_MAX} messages, more than a bundle may hold.")
    by_stream: dict[StreamName, list[_Slot]] = defaultdict(list)
    for slot in found:
        by_stream[slot.stream].append(slot)
    heads: list[StreamHead] = []
    words: list[Word] = []
    for stream in sorted(by_stream, key=str):
        here = sorted(by_stream[stream], key=lambda slot: slot.seq)
        head = await _head_of(tx, agency, stream)
        proofs = await _proofs(tx, agency, stream, head, [slot.seq for slot in here]) if head is not None else {}
        if head is not None and proofs:
            heads.append(head)
        signed = [slot for slot in here if slot.signed is not None or slot.seq in proofs]
        words += [_word(slot, len(heads) - 1, proofs.get(slot.seq)) for slot in signed]
    named = {agency, *(name for stream in by_stream for name in (stream.sender, stream.recipient))}
    roots = roots_of(seal, named)
    body = Body(agency=agency, case=case_id, made_at=tx.clock.now(), roots=roots, heads=tuple(heads), words=tuple(words))
    signer, signature = seal.sign_bundle(body.to_bytes())
    return Sealed(body=body, signer=signer, signature=signature)


async def _said(tx: Transaction, seal: KeyedSeal, subjects: Collection[UUID]) -> list[_Slot]:
    row = OutboxRow
    query = select(col(row.recipient), col(row.incarnation), col(row.seq), as_it_lies(row.inner), col(row.leaf)).where(
        among(tx, col(row.subject), subjects), col(row.seq).is_not(None), ~col(row.is_forked)
    )
    found = []
    for recipient, life, seq, held, leaf in (await tx.session.execute(query)).tuples():
        raw = _words_of(tx, row, held)
        assert life is not None and seq is not None and leaf is not None, "a numbered row is whole"  # noqa: PT018
        signed = seal.standing(raw, recipient) if raw is not None else None
        found.append(_Slot(StreamName(seal.agency, recipient, life), int(seq), signed, leaf))
    return found


async def _heard(tx: Transaction, seal: KeyedSeal, subjects: Collection[UUID]) -> list[_Slot]:
    # What stands above where its key reaches is nobody's word: its place is told, and the rest of the case is proved.
    slot, word = ReceivedSlot, InboxRow
    same = and_(col(word.sender) == col(slot.sender), col(word.event_id) == col(slot.event_id))
    query = select(col(slot.sender), col(slot.incarnation), col(slot.seq), as_it_lies(word.inner), col(slot.leaf), col(word.state))
    query = query.join(word, same)
    rows = (await tx.session.execute(query.where(among(tx, col(word.subject), subjects)))).tuples()
    found = []
    for sender, life, seq, held, leaf, state in rows:
        raw = _words_of(tx, word, held)
        signed = raw if raw is not None and seal.reaches(unframe(raw)) else None
        found.append(_Slot(StreamName(sender, seal.agency, life), int(seq), signed, leaf, state))
    return found


def _words_of(tx: Transaction, table: type[SQLModel], held: bytes | None) -> bytes | None:
    """The signed form as it lies in a row, opened; None where it is cleared or erased. Raises KeystoreAway."""
    found: bytes | None = sealed_columns(table)["inner"].read(held, tx.keys)
    return found


async def _head_of(tx: Transaction, agency: str, stream: StreamName) -> StreamHead | None:
    """The furthest that the other end has signed: for what we said its receipt, for what it said its own head."""
    if stream.sender == agency:
        receipts = select(HeldReceipt).where(
            col(HeldReceipt.peer) == stream.recipient, col(HeldReceipt.incarnation) == stream.incarnation, col(HeldReceipt.upto) > 0
        )
        for row in (await tx.session.execute(receipts.order_by(col(HeldReceipt.upto).desc()))).scalars():
            if not any(one.lost for one in Statement.of(unframe(row.signed)).receipts if one.incarnation == row.incarnation):
                return _head(stream, stream.recipient, row.upto, row.root, row.signed)
        return None
    kept = (await tx.session.execute(good_stream_head(stream.sender, stream.incarnation))).scalars().first()
    return _head(stream, stream.sender, kept.size, kept.root, kept.signed) if kept is not None else None


def _head(stream: StreamName, signer: str, size: int, root: bytes, signed: bytes) -> StreamHead:
    named = {"sender": stream.sender, "recipient": stream.recipient, "incarnation": stream.incarnation}
    return StreamHead.model_validate({**named, "signer": signer, "size": size, "root": root, "signed": signed})


async def _proofs(
    tx: Transaction, agency: str, stream: StreamName, head: StreamHead, seqs: Sequence[int]
) -> dict[int, list[bytes]]:
    """The proofs of some slots under a head: every leaf up to it is read once. None where the leaves here do not come to that head;
    then something is wrong with this database, and `refnet verify` names it."""
    spans = {seq: inclusion_spans(seq - 1, head.size) for seq in seqs if seq <= head.size}
    wanted = {part for some in spans.values() for span in some for part in perfect_parts(span)}
    roots: dict[Span, bytes] = {}
    frontier = Frontier()
    async for leaf in _leaves(tx, agency, stream, head.size):
        frontier, made = completed(frontier, leaf)
        roots |= {span: root for span, root in made if span in wanted}
    if frontier.size != head.size or frontier.root() != head.root:
        return {}
    return {seq: [joined([roots[part] for part in perfect_parts(span)]) for span in some] for seq, some in spans.items()}


async def _leaves(tx: Transaction, agency: str, stream: StreamName, size: int) -> AsyncIterator[bytes]:
    if stream.sender != agency:
        async for leaf in leaves_heard(tx, stream.sender, stream.incarnation, 1, size):
            yield leaf
        return
    async for _, leaf in leaves_said(tx, stream.recipient, stream.incarnation, 1, size):
        yield leaf


def _word(slot: _Slot, head: int, proof: Sequence[bytes] | None) -> Word:
    return Word(
        sender=slot.stream.sender, recipient=slot.stream.recipient, incarnation=slot.stream.incarnation, seq=slot.seq,
        signed=slot.signed, leaf=slot.leaf if slot.signed is None else None, head=head if proof is not None else None,
        proof=tuple(proof or ()), became=slot.became,
    )  # fmt: skip


def roots_of(seal: KeyedSeal, named: Collection[str]) -> tuple[Roots, ...]:
    """The directories of keys of all agencies that a file names, for whoever checks it; raises Unopenable."""
    return tuple(_roots(seal.directory_of(name), named) for name in sorted(named))


def _roots(directory: Directory, readers: Collection[str]) -> Roots:
    lines = []
    for told in directory.lines:
        line = Line.model_validate_json(told.signed[SIGNATURE_BYTES:]) if told.signed is not None else None
        is_anothers = line is not None and line.to is not None and line.to not in readers
        lines.append(Told(digest=digest_of(told.signed or b"")) if is_anothers else told)
    return Roots(agency=directory.agency, root=directory.root, lines=tuple(lines))


# --- checking one --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown:
    """A message of a good bundle: who said it to whom, where, and what; `proved_by` signed the tree that it is in, so far."""

    sender: str
    recipient: str
    stream: str
    place: int
    type: str | None
    said_at: datetime | None
    recorded_at: datetime | None
    data: dict[str, Any] | None
    proved_by: str | None
    proved_upto: int | None
    became: str | None


@dataclass(slots=True)
class Checked:
    """What a check came to. `roots` are what a person compares with the fingerprints that were pinned in person; `handed_out` is
    the mark of whoever took the file, which nobody has signed."""

    agency: str = ""
    made_at: datetime | None = None
    roots: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    handed_out: str = ""

    @property
    def is_good(self) -> bool:
        """Whether everything in the file is what its signers signed."""
        return not self.faults

    @property
    def under(self) -> list[str]:
        """What a person is to compare."""
        return ["", COMPARE, *(f"  {agency}  {digits}" for agency, digits in sorted(self.roots.items())), ""]

    @property
    def taken(self) -> list[str]:
        """Who took the file, as it says itself."""
        return [f"What stands at its head, which nobody has signed: {self.handed_out}."] if self.handed_out else []


@dataclass(slots=True)
class Check(Checked):
    """The same of a bundle."""

    case: UUID | None = None
    shown: list[Shown] = field(default_factory=list)

    @property
    def words(self) -> str:
        """For a terminal."""
        if not self.is_good:
            return "\n".join([*self.faults, "The bundle is not good: do not rely on anything in it."])
        lines = [f"Exported by {self.agency} on {self.made_at:%Y-%m-%d %H:%M} UTC, about its case {self.case}."]
        lines += [*self.taken, "", *(_line(one) for one in self.shown), *self.under]
        return "\n".join([*lines, PROVES, PROVES_NOT])


MARK = "# "  # before the first line of a file that was handed out: who took it and what for
MARK_MAX = 1_000  # characters of it that are shown; ours have some two hundred
ENCRYPTED = (b"age-encryption.org/", b"-----BEGIN AGE")  # how files of age begin, in bytes and in letters
NO_KEY = "{} holds no age key; its line begins with AGE-SECRET-KEY-1."
COMPARE = "All of this stands under these roots. Compare each, digit by digit, with the fingerprint that was pinned in person:"
NO_WORDS = "its words are cleared, or stand under no good key; only its place is left"
BECAME: dict[str, str] = {
    InboxState.APPLIED: "{} took it up.",
    InboxState.WAITING: "NOT USED by {} yet: it waits for another message.",
    InboxState.PARKED: "NOT USED by {}: it could not be taken up, and nobody has decided about it.",
    InboxState.REFUSED: "NOT USED by {}: it could not be taken up, and a person gave it up.",
    InboxState.TOMBSTONED: "Not used by {}: its consent had been taken back.",
    InboxState.WITHHELD: "Its sender had blanked it before it left.",
}  # in the exporter's word; of what was cleared or erased since, only the place is left
PROVES = (
    "If the fingerprints are the pinned ones, this proves: each message was said by the agency that is named, in these words and at"
    " this place among all that it said to the other; and whoever is named after “under the signature of” has signed for it there,"
    " so that neither can change it, leave it out of what comes before that place, or say that it was never said or received."
)
PROVES_NOT = (
    "It does not prove: that what a message says is true; that a time is right, because each agency's own clock gave it; that there"
    " is nothing else about the case, because only what this agency said or was told is in it, and only what it chose to export,"
    " and a place that nobody had signed for is left out once its words are gone, or if they stand under no good key;"
    " that a message was taken up or not, which is the exporter's word; who at the agency wrote it; or anything at all, if a"
    " fingerprint differs."
)


def _line(one: Shown) -> str:
    what = f"{one.said_at:%Y-%m-%d %H:%M} UTC  {one.type}" if one.said_at else NO_WORDS
    under = "under its sender's signature alone: the file holds no other for its place"
    if one.proved_by is not None:
        under = f"under the signature of {one.proved_by}, up to place {one.proved_upto}"
    became = f" {BECAME[one.became].format(one.recipient)}" if one.became in BECAME else ""
    return f"{one.sender} to {one.recipient}, place {one.place}: {what}; {under}.{became}"


def check_file(file: Path, identity: Path | None = None) -> Check:
    """Checks a bundle's file, which `identity` opens where it is still encrypted: the file of an age key. Raises RefnetError where
    there is no bundle that can be read."""
    mark, data = read_file(file, identity)
    check = check_bundle(data)
    check.handed_out = mark
    return check


def read_file(file: Path, identity: Path | None) -> tuple[str, bytes]:
    """The mark at the head of a file that was handed out, and what stands under it; raises RefnetError."""
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise RefnetError(f"{file} is larger than any custody bundle; name another file.")
        data = file.read_bytes()
    except OSError as error:
        raise RefnetError(f"{file} cannot be read ({error.strerror}); name a custody bundle's file.") from error
    if data.startswith(ENCRYPTED):
        data = _opened(data, identity)
    mark = b""
    if data.startswith(MARK.encode()):
        mark, _, data = data.partition(b"\n")
    # Nobody has signed it: whoever forged it moves no cursor and hides nothing of what stands beneath.
    return "".join(one for one in mark.decode(errors="replace").removeprefix(MARK) if one.isprintable())[:MARK_MAX], data


def _opened(data: bytes, identity: Path | None) -> bytes:
    if identity is None:
        raise RefnetError("The file is encrypted to whoever shall read it; name that person's age key with --identity.")
    import pyrage  # only whoever reads such a file needs it

    try:
        lines = [line.strip() for line in identity.read_text().splitlines()]
        keys = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
        if not keys:
            raise RefnetError(NO_KEY.format(identity))
        opened: bytes = pyrage.decrypt(data, keys)
    except OSError as error:
        raise RefnetError(f"{identity} cannot be read ({error.strerror}); name the file of an age key.") from error
    except (UnicodeDecodeError, pyrage.IdentityError) as error:
        raise RefnetError(NO_KEY.format(identity)) from error
    except pyrage.DecryptError as error:
        raise RefnetError(
            "The file was encrypted to another key, or is damaged; ask for one that is encrypted to yours."
        ) from error
    return opened


def check_bundle(data: bytes) -> Check:
    """Checks a bundle's bytes; nothing is asked of anybody and nothing raised."""
    check = Check()
    try:
        sealed = Sealed.model_validate_json(data)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "its beginning"
        check.faults.append(f"This is no custody bundle, or its form is damaged, at {where}.")
        return check
    body = sealed.body
    check.agency, check.case, check.made_at = body.agency, body.case, body.made_at
    named = {body.agency, *(n for w in body.words for n in (w.sender, w.recipient)), *(h.signer for h in body.heads)}
    seal = seal_of(body.agency, body.roots, named, check)
    if seal is None:
        return check
    heads = [_is_signed(seal, head, check) for head in body.heads]
    for word in body.words:
        _check_word(seal, body, word, heads, check)
    _check_whole(seal, sealed, data, check)
    return check


def seal_of(agency: str, roots: Sequence[Roots], named: Collection[str], check: Checked) -> KeyedSeal | None:
    """A seal that knows nothing but the directories in a file; what is wrong with them is said."""
    directories: dict[str, Directory] = {}
    for one in roots:
        try:
            directory = Directory(one.agency, one.root)
            directory.take_whole(one.lines)
        except (BadDirectory, ValueError) as error:
            check.faults.append(f"The directory of keys of {one.agency}, or its root, is damaged: {error}")
            continue
        if one.agency in directories:
            check.faults.append(f"{one.agency} has two directories of keys.")
        directories[one.agency] = directory
        check.roots[one.agency] = fingerprint(one.root)
    for name in sorted(set(named) - set(directories)):
        check.faults.append(f"There is no directory of keys of {name}.")
    own = directories.get(agency)
    return KeyedSeal(Keyring(own, directories, [], [])) if own is not None else None


def _is_signed(seal: KeyedSeal, head: StreamHead, check: Check) -> bool:
    """Whether the statement says what the head says, under its signer's key."""
    name = f"The head of {head.sender}.{head.recipient}.{head.incarnation} at {head.size}"
    reader = head.recipient if head.signer == head.sender else head.sender
    try:
        inner = seal.signed(head.signed, head.signer, reader)
        statement = Statement.of(inner)
    except Unopenable as error:
        check.faults.append(f"{name} is not what {head.signer} signed: {error}.")
        return False
    own, lives = head.signer == head.sender, head.incarnation
    said = (
        [(one.size, one.root) for one in statement.heads if one.incarnation == lives and inner.header.incarnation == lives] if own
        else [(one.upto, one.root) for one in statement.receipts if one.incarnation == lives and not one.lost]
    )  # fmt: skip
    if head.signer not in {head.sender, head.recipient} or (head.size, head.root) not in said:
        check.faults.append(f"{name} is not what {head.signer} signed: it signed for something else.")
        return False
    return True


def _check_word(seal: KeyedSeal, body: Body, word: Word, heads: Sequence[bool], check: Check) -> None:
    stream = f"{word.sender}.{word.recipient}.{word.incarnation}"
    name = f"The message at place {word.seq} of {stream}"
    event: Event | None = None
    leaf = word.leaf
    if word.signed is not None:
        try:
            inner = seal.signed(word.signed, word.sender, word.recipient)
            event = _event_of(seal, inner, word)
        except Unopenable as error:
            check.faults.append(f"{name} is not what {word.sender} signed: {error}.")
            return
        leaf = inner.leaf
    if (word.leaf is None) == (word.signed is None) or leaf is None:
        check.faults.append(f"{name} has neither words nor a leaf, or both.")
        return
    if word.signed is None and word.head is None:
        check.faults.append(f"{name} is signed for by nobody: its words are not in the file, and no head is named for its leaf.")
        return
    head = body.heads[word.head] if word.head is not None and word.head < len(body.heads) else None
    if word.head is not None and (head is None or not _fits(word, head, leaf)):
        check.faults.append(f"{name} is not proved to lie under the head that is named for it.")
    if word.became is not None and word.recipient != body.agency:
        check.faults.append(f"{name} was not for {body.agency}, and what became of it is not its to say.")
    if word.head is None and word.proof:
        check.faults.append(f"{name} has a proof, and no head is named for it.")
    signer = head.signer if head is not None and word.head is not None and heads[word.head] else None
    check.shown.append(
        Shown(
            word.sender, word.recipient, stream, word.seq, event.type if event else None, event.time if event else None,
            event.recordedtime if event else None, event.data if event else None, signer, head.size if signer and head else None,
            word.became,
        )
    )  # fmt: skip


def _event_of(seal: KeyedSeal, inner: Inner, word: Word) -> Event:
    header = inner.header
    if header.kind is not Kind.EVENT or (header.incarnation, header.seq) != (word.incarnation, word.seq):
        raise Unopenable("it was signed for another place")
    if not seal.reaches(inner):
        raise Unopenable("its signer's key is revoked")
    return heard(inner).event


def _fits(word: Word, head: StreamHead, leaf: bytes) -> bool:
    same = (word.sender, word.recipient, word.incarnation) == (head.sender, head.recipient, head.incarnation)
    return same and is_included(leaf, word.seq - 1, head.size, word.proof, head.root)


def _check_whole(seal: KeyedSeal, sealed: Sealed, data: bytes, check: Check) -> None:
    """The exporter's signature over everything, and that the file holds nothing else and in no other form."""
    try:
        seal.verify_bundle(sealed.body.agency, sealed.signer, sealed.signature, sealed.body.to_bytes())
    except (Unopenable, InvalidSignature):
        words = f"What {sealed.body.agency} exported, for which case, when, or its signature under all of it, was changed."
        check.faults.append(words)
    written = sealed.to_bytes()
    if data != written:
        first = next((at for at, (a, b) in enumerate(zip(data, written, strict=False)) if a != b), min(len(data), len(written)))
        check.faults.append(f"The file is not in the form in which it was written, from byte {first} on.")
